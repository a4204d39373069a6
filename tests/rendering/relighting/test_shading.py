import numpy as np
import pytest

from rendering.camera import Camera
from rendering.rasterizers.rasterize import rasterize
from rendering.relighting.shading import (
    Texture,
    ambient_light,
    directional_light,
    from_srgb8,
    interpolate,
    render_image,
    sh_basis,
    shade_vertices,
    to_srgb8,
)

CAMERA = Camera.centered(40.0, 32, 24)
BLACK = np.zeros((24, 32, 3), np.float32)
WALL = np.array([[(-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1)]], np.float32)
TRIANGLES = np.array([[0, 2, 1], [0, 3, 2]], np.int32)  # faces the camera: counter-clockwise from outside
WHITE = np.ones((4, 3), np.float32)


def random_directions(count: int) -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=-1, keepdims=True)


def test_basis_is_orthonormal_on_the_sphere() -> None:
    basis = sh_basis(random_directions(400_000))
    np.testing.assert_allclose(4 * np.pi * basis.T @ basis / len(basis), np.eye(9), atol=0.02)


def test_a_lamp_lights_what_faces_it() -> None:
    lamp = random_directions(1)[0]
    normals = random_directions(5000)
    irradiance = sh_basis(normals) @ directional_light(lamp, np.array([1.0, 0.5, 0.0]))
    cosine = np.maximum(normals @ lamp, 0)
    np.testing.assert_allclose(irradiance[:, 0], cosine, atol=0.1)
    np.testing.assert_allclose(irradiance[:, 1], irradiance[:, 0] / 2, atol=1e-6)
    np.testing.assert_allclose(irradiance[:, 2], 0, atol=1e-6)


def test_shaded_vertices_are_albedo_times_irradiance() -> None:
    albedo = np.array([[0.2, 0.4, 0.6]] * 4, np.float32)
    ambient = shade_vertices(WALL, TRIANGLES, albedo, ambient_light(np.array([1, 0.5, 0.25])))
    np.testing.assert_allclose(ambient[0], albedo * [1, 0.5, 0.25], rtol=1e-6)
    front = shade_vertices(WALL, TRIANGLES, albedo, directional_light(np.array([0, 0, -1.0]), np.ones(3)))
    back = shade_vertices(WALL, TRIANGLES, albedo, directional_light(np.array([0, 0, 1.0]), np.ones(3)))
    np.testing.assert_allclose(front[0], albedo, atol=0.1)
    assert (back < 0.07).all()


def test_interpolated_vertices_are_the_points_seen() -> None:
    raster = rasterize(WALL + np.float32([0, 0, 1]), TRIANGLES, CAMERA)
    points = interpolate(raster, TRIANGLES, WALL + np.float32([0, 0, 1]))
    np.testing.assert_allclose(points, CAMERA.unproject(raster.depth_m), atol=1e-5)


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_a_picture_averages_surface_and_background(samples: int) -> None:
    # The wall's left edge stands at column 16.5: that pixel is half wall.
    wall = WALL[0] + np.float32([1 + 0.5 / 40, 0, 0])
    picture = render_image(
        wall, TRIANGLES, CAMERA, colors=WHITE * np.float32(0.5), background=BLACK + 0.25, samples=samples
    )
    np.testing.assert_allclose(picture[:, :16], 0.25, atol=1e-6)
    np.testing.assert_allclose(picture[:, 17:], 0.5, atol=1e-6)
    if samples == 2:
        np.testing.assert_allclose(picture[:, 16], 0.375, atol=1e-6)


def test_a_texture_lies_upright_on_the_mesh() -> None:
    quarter = Camera.centered(12.0, 24, 24)  # the wall fills the picture exactly
    image = np.zeros((2, 2, 3), np.float32)
    image[0, 0], image[0, 1], image[1, 0] = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    texture = Texture(image=image, uv=corners[TRIANGLES])
    picture = render_image(
        WALL[0],
        TRIANGLES,
        quarter,
        colors=WHITE,
        background=np.zeros((24, 24, 3), np.float32),
        texture=texture,
    )
    for row, column, color in (
        (1, 1, (1, 0, 0)),
        (1, 22, (0, 1, 0)),
        (22, 1, (0, 0, 1)),
        (22, 22, (0, 0, 0)),
    ):
        np.testing.assert_allclose(picture[row, column], color, atol=1e-5)
    np.testing.assert_allclose(picture[11:13, 11:13].mean((0, 1)), [0.25, 0.25, 0.25], atol=1e-5)


def test_srgb_of_known_values() -> None:
    assert to_srgb8(np.array([-1, 0, 0.0025, 0.2158605, 1, 7])).tolist() == [0, 0, 8, 128, 255, 255]


def test_srgb_codes_survive_the_round_trip() -> None:
    codes = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_srgb8(from_srgb8(codes)), codes)
