"""Settings of the skin's surface; they stand apart, so that reading them loads no compiler."""

from __future__ import annotations

from pydantic import NonNegativeFloat, NonNegativeInt

from rendering.rasterizers.raster import Backend
from rendering.settings import GeometrySettings


class SkinSettings(GeometrySettings):
    """What counts as visible skin in a picture."""

    backend: Backend = "numba"
    """Rasterizer backend; published data sets use "numba"."""
    widest_slit_px: NonNegativeFloat = 4.0
    """Enclosed holes that are nowhere wider than this, in pixels, are closed lips or lids and are filled."""
    mask_radius_px: NonNegativeInt = 2
    """Specks and pinholes of the mask up to this radius, in pixels, are removed."""
