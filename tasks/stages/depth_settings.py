"""Settings of the depth stage, apart from the stage so that reading them loads no compiler."""

from __future__ import annotations

from pydantic import Field

from model.settings import Settings
from rendering.skin.settings import SkinSettings


class DepthSettings(Settings):
    """How depth and mask are rendered."""

    skin: SkinSettings = SkinSettings()
    """Which pixels count as visible skin."""
    least_inlier: float = Field(default=0.5, ge=0, le=1)
    """Least share of frames in which a vertex must look like skin. Triangles below it are hidden by hair,
    glasses or a hand, and are left out of the mask."""
