"""Diffuse shading: albedo times irradiance in spherical harmonics up to the second order, in linear light.

The irradiance of distant light on a convex Lambertian surface depends on the normal alone, and nine
coefficients give it to about one per cent on average (Ramamoorthi and Hanrahan 2001). It is the diffuse
shading layer of the paper's relighting (section 5.4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rendering.arrays import Array, Float32, Int32, UInt8
from rendering.camera import Camera
from rendering.compiled import compiled
from rendering.normals import vertex_normals
from rendering.rasterizers.raster import Raster
from rendering.rasterizers.rasterize import rasterize

# Normalisation of the real spherical harmonics: sqrt(1 / (4 pi)); sqrt(3 / (4 pi)); sqrt(15 / (4 pi)),
# sqrt(5 / (16 pi)) and sqrt(15 / (16 pi)).
SH_BAND_0 = 0.28209479177387814
SH_BAND_1 = 0.4886025119029199
SH_BAND_2 = (1.0925484305920792, 0.31539156525252005, 0.5462742152960396)

LAMBERT = np.array([np.pi, 2 * np.pi / 3, np.pi / 4]).repeat([1, 3, 5])
"""The clamped cosine in spherical harmonics, one factor for each band (Ramamoorthi and Hanrahan 2001)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Texture:
    """A picture on a mesh that multiplies the vertex colours."""

    image: Float32
    """Linear, (h, w, 3)."""
    uv: Float32
    """Place of each triangle's corners in the picture, (F, 3, 2): 0..1 from its top left corner."""


def sh_basis(normals: Array) -> Array:
    """Real spherical harmonics of unit normals in camera axes: (..., 3) -> (..., 9).

    Order: 1 | y, z, x | xy, yz, 3z^2 - 1, xz, x^2 - y^2, orthonormal on the sphere.
    """
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    mixed, zonal, square = SH_BAND_2
    return np.stack(
        [
            np.full_like(x, SH_BAND_0),
            SH_BAND_1 * y,
            SH_BAND_1 * z,
            SH_BAND_1 * x,
            mixed * x * y,
            mixed * y * z,
            zonal * (3 * z * z - 1),
            mixed * x * z,
            square * (x * x - y * y),
        ],
        axis=-1,
    )


def directional_light(direction: Array, color: Array) -> Float32:
    """Coefficients (9, 3) of a distant lamp: unit vector towards the lamp (3,), colour (3,).

    A white surface that faces the lamp takes on about its colour, one that faces away stays nearly black.
    Stopping at the second order leaves a ripple of a few per cent.
    """
    return np.asarray((LAMBERT * sh_basis(direction))[:, None] * color, dtype=np.float32)


def ambient_light(color: Array) -> Float32:
    """Coefficients (9, 3) of equal light from all sides that gives a white surface the colour (3,)."""
    lighting = np.zeros((9, 3), np.float32)
    # The constant harmonic alone. Coefficients are those of irradiance: LAMBERT is part of them.
    lighting[0] = np.asarray(color) / SH_BAND_0
    return lighting


def interpolate(raster: Raster, triangles: Array, attributes: Array) -> Float32:
    """Vertex attributes at every pixel: (N, V, K) or (V, K) -> (N, H, W, K); 0 where there is no surface."""
    frames = len(raster.depth_m)
    values = np.broadcast_to(attributes, (frames, *attributes.shape[-2:]))
    result = np.zeros((*raster.depth_m.shape, attributes.shape[-1]), np.float32)
    for frame in range(frames):
        _interpolate(
            raster.triangle_id[frame], raster.barycentrics[frame], triangles, values[frame], result[frame]
        )
    return result


@compiled
def _interpolate(triangle_id: Array, weights: Array, triangles: Array, values: Array, result: Array) -> None:
    for row in range(triangle_id.shape[0]):
        for column in range(triangle_id.shape[1]):
            t = triangle_id[row, column]
            if t >= 0:
                for k in range(values.shape[1]):
                    total = np.float32(0.0)
                    for corner in range(3):
                        total += weights[row, column, corner] * values[triangles[t, corner], k]
                    result[row, column, k] = total


def shade_vertices(vertices_m: Float32, triangles: Array, albedo: Array, lighting: Array) -> Float32:
    """Linear colour of every vertex: (N, V, 3) m, albedo (V, 3) 0..1, lighting (9, 3) -> (N, V, 3).

    Shading ignores cast shadows: it depends on the normals alone.
    """
    irradiance = sh_basis(vertex_normals(vertices_m, triangles)) @ lighting
    return np.asarray(albedo * np.maximum(irradiance, 0), dtype=np.float32)


def render_image(
    vertices_m: Float32,
    triangles: Int32,
    camera: Camera,
    *,
    colors: Float32,
    background: Float32,
    texture: Texture | None = None,
    samples: int = 2,
) -> Float32:
    """Render a mesh in front of a background.

    Args:
        vertices_m: camera-space vertices, (V, 3) m.
        triangles: vertex ids, (F, 3).
        camera: intrinsics, and the size of the picture.
        colors: linear light of each vertex, (V, 3), for example from shade_vertices.
        background: linear light, (H, W, 3).
        texture: picture that multiplies the colours; None = no texture.
        samples: samples of a pixel along each axis, averaged against aliasing.

    Returns:
        Linear light, (H, W, 3).
    """
    # Supersampling is a camera with more pixels.
    scale = np.diag([samples, samples, 1.0])
    fine = camera.cropped(scale, camera.width * samples, camera.height * samples)
    raster = rasterize(vertices_m[None], triangles, fine)
    if texture is None:
        texture = Texture(
            image=np.ones((1, 1, 3), np.float32), uv=np.zeros((len(triangles), 3, 2), np.float32)
        )
    picture = np.empty((camera.height, camera.width, 3), np.float32)
    _resolve(
        raster.triangle_id[0],
        raster.barycentrics[0],
        triangles,
        colors,
        texture.uv,
        texture.image,
        background,
        picture,
    )
    return picture


@compiled
def _resolve(
    triangle_id: Array,
    weights: Array,
    triangles: Array,
    colors: Array,
    uv: Array,
    image: Array,
    background: Array,
    picture: Array,
) -> None:
    """Average the samples of each pixel; a sample without surface takes the background."""
    samples = triangle_id.shape[0] // picture.shape[0]
    share = np.float32(1.0 / samples**2)
    picture[:] = 0.0
    for row in range(triangle_id.shape[0]):
        for column in range(triangle_id.shape[1]):
            pixel = picture[row // samples, column // samples]
            t = triangle_id[row, column]
            if t < 0:
                for k in range(3):
                    pixel[k] += share * background[row // samples, column // samples, k]
            else:
                weight = weights[row, column]
                u = weight[0] * uv[t, 0, 0] + weight[1] * uv[t, 1, 0] + weight[2] * uv[t, 2, 0]
                v = weight[0] * uv[t, 0, 1] + weight[1] * uv[t, 1, 1] + weight[2] * uv[t, 2, 1]
                for k in range(3):
                    light = np.float32(0.0)
                    for corner in range(3):
                        light += weight[corner] * colors[triangles[t, corner], k]
                    # Linear interpolation in linear light: colours average as light does.
                    pixel[k] += share * light * _bilinear(image, u, v, k)


@compiled
def _bilinear(image: Array, u: float, v: float, k: int) -> float:
    """Bilinear value of channel k of a picture at (u, v) in 0..1, clamped at the border."""
    x = min(max(u * image.shape[1] - 0.5, 0.0), image.shape[1] - 1.0)
    y = min(max(v * image.shape[0] - 0.5, 0.0), image.shape[0] - 1.0)
    left, top = int(x), int(y)
    right, bottom = min(left + 1, image.shape[1] - 1), min(top + 1, image.shape[0] - 1)
    above = image[top, left, k] + (x - left) * (image[top, right, k] - image[top, left, k])
    below = image[bottom, left, k] + (x - left) * (image[bottom, right, k] - image[bottom, left, k])
    return float(above + (y - top) * (below - above))


def to_srgb8(linear: Array) -> UInt8:
    """Encode linear light 0..1 as sRGB 0..255 (IEC 61966-2-1)."""
    return _SRGB8[(np.clip(linear, 0, 1) * np.float32(65535) + np.float32(0.5)).astype(np.uint16)]


def _srgb8_table() -> UInt8:
    linear = np.arange(65536) / 65535
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(255 * curve), dtype=np.uint8)


_SRGB8 = _srgb8_table()
"""sRGB code of linear light in steps of 1 / 65535: a table is ten times as fast as the power function."""


def from_srgb8(values: UInt8) -> Float32:
    """Decode sRGB 0..255 to linear light 0..1."""
    coded = np.arange(256) / 255
    table = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    return table.astype(np.float32)[values]
