"""Settings of the skin's surface, apart from the code so that reading them loads no compiler."""

from __future__ import annotations

from pydantic import NonNegativeFloat, NonNegativeInt

from rendering.rasterizers.rasterize import Backend
from rendering.settings import GeometrySettings


class SkinSettings(GeometrySettings):
    """What counts as visible skin."""

    backend: Backend = "numba"
    """Rasterizer; "numba" is canonical for published data sets."""
    widest_slit_px: NonNegativeFloat = 4.0
    """Enclosed holes that are nowhere wider are closed lips or lids and are filled."""
    mask_radius_px: NonNegativeInt = 2
    """Specks and pinholes of the mask up to this radius are cleaned away."""
