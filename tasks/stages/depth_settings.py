"""Settings of the depth stage, apart from the stage so that reading them loads no compiler."""

from __future__ import annotations

from pydantic import Field

from model.settings import Settings
from rendering.skin.settings import SkinSettings


class DepthSettings(Settings):
    """How depth and mask are made."""

    skin: SkinSettings = SkinSettings()
    """What counts as visible skin."""
    least_inlier: float = Field(default=0.5, ge=0, le=1)
    """Triangles whose vertices explain the picture less often are hidden by hair, glasses or a hand and
    left out of the mask."""
