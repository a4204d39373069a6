"""The rasterizers against geometry, against each other and against a ray caster."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rendering.camera import Camera
from rendering.rasterizers.raster import Raster, empty_raster
from rendering.rasterizers.rasterize import rasterize

CAMERA = Camera(focal_x_px=90.0, focal_y_px=110.0, center_x_px=30.3, center_y_px=27.1, width=64, height=48)
CPU = ["numba", "reference"]


def quad(corners: list[tuple[float, float, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([corners], np.float32), np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def sphere(steps: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Unit sphere by latitude and longitude."""
    polar, azimuth = np.meshgrid(
        np.linspace(0, np.pi, steps), np.linspace(0, 2 * np.pi, steps), indexing="ij"
    )
    points = [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)]
    vertices = np.stack(points, axis=-1).reshape(-1, 3).astype(np.float32)
    first = (np.arange(steps - 1)[:, None] * steps + np.arange(steps - 1)).reshape(-1)
    lower = np.stack([first, first + steps, first + steps + 1], axis=-1)
    upper = np.stack([first, first + steps + 1, first + 1], axis=-1)
    return vertices, np.concatenate([lower, upper]).astype(np.int32)


def rays(camera: Camera) -> np.ndarray:
    """Directions with z = 1 through the pixel centres, (H, W, 3)."""
    return camera.unproject(np.ones((camera.height, camera.width)))


def same(first: Raster, second: Raster) -> bool:
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("triangle_id", "barycentrics", "depth_m")
    )


@pytest.mark.parametrize("backend", CPU)
def test_depth_of_a_tilted_plane_is_analytic(backend: str) -> None:
    # z = 0.6 + 0.5 x - 0.3 y, far beyond the picture
    corners = [
        (x, y, 0.6 + 0.5 * x - 0.3 * y) for x, y in ((-0.4, -0.4), (0.5, -0.4), (0.5, 0.4), (-0.4, 0.4))
    ]
    raster = rasterize(*quad(corners), CAMERA, backend=backend)
    direction = rays(CAMERA)
    expected = 0.6 / (1 - 0.5 * direction[..., 0] + 0.3 * direction[..., 1])
    assert (raster.triangle_id >= 0).all()
    np.testing.assert_allclose(raster.depth_m[0], expected, rtol=1e-6)


def test_depth_of_a_sphere_is_analytic() -> None:
    vertices, triangles = sphere()
    center, radius = np.array([0.01, -0.02, 0.5]), 0.1
    raster = rasterize((vertices * radius + center)[None].astype(np.float32), triangles, CAMERA)
    direction = rays(CAMERA)
    length, along = (direction**2).sum(-1), direction @ center
    discriminant = along**2 - length * (center @ center - radius**2)
    inner = discriminant > 1e-3  # away from the silhouette, where a polyhedron differs from a sphere
    expected = (along - np.sqrt(np.maximum(discriminant, 0))) / length
    np.testing.assert_allclose(raster.depth_m[0][inner], expected[inner], atol=1e-4)
    assert (raster.triangle_id[0][discriminant < 0] == -1).all()


@pytest.mark.parametrize("backend", CPU)
def test_barycentrics_reproject_to_the_pixel_centre(backend: str) -> None:
    vertices = np.array([[[-0.1, -0.08, 0.3], [0.14, -0.05, 0.9], [0.0, 0.1, 0.5]]], np.float32)
    raster = rasterize(vertices, np.array([[0, 1, 2]], np.int32), CAMERA, backend=backend)
    hit = raster.triangle_id[0] == 0
    assert hit.sum() > 200
    points = raster.barycentrics[0][hit] @ vertices[0].astype(float)
    rows, columns = np.nonzero(hit)
    pixels = CAMERA.project(points)
    np.testing.assert_allclose(pixels, np.stack([columns, rows], axis=-1) + 0.5, atol=1e-4)
    np.testing.assert_allclose(points[:, 2], raster.depth_m[0][hit], rtol=1e-6)
    np.testing.assert_allclose(raster.barycentrics[0][hit].sum(-1), 1, atol=1e-6)


@pytest.mark.parametrize("backend", CPU)
def test_empty_pixels_are_minus_one_and_zero(backend: str) -> None:
    vertices = np.array([[[-0.02, -0.02, 0.4], [0.02, -0.02, 0.4], [0, 0.02, 0.4]]], np.float32)
    raster = rasterize(vertices, np.array([[0, 1, 2]], np.int32), CAMERA, backend=backend)
    empty = raster.triangle_id < 0
    assert empty.any()
    assert (~empty).any()
    assert (raster.triangle_id[empty] == -1).all()
    assert (raster.depth_m[empty] == 0).all()
    assert (raster.barycentrics[empty] == 0).all()
    assert (raster.depth_m[~empty] > 0).all()


@pytest.mark.parametrize("backend", CPU)
def test_every_centre_on_a_shared_edge_belongs_to_exactly_one_triangle(backend: str) -> None:
    # A fan whose edges run exactly through pixel centres, in the picture plane of a unit camera.
    camera = Camera(focal_x_px=1, focal_y_px=1, center_x_px=0, center_y_px=0, width=16, height=16)
    rim = [
        (2.5, 2.5),
        (8.5, 2.5),
        (14.5, 2.5),
        (14.5, 8.5),
        (14.5, 14.5),
        (8.5, 14.5),
        (2.5, 14.5),
        (2.5, 8.5),
    ]
    vertices = np.array([[(8.5, 8.5, 1), *((x, y, 1) for x, y in rim)]], np.float32)
    triangles = [[0, k + 1, (k + 1) % 8 + 1] for k in range(8)]
    total = np.zeros((16, 16), int)
    for order in (triangles, [t[::-1] for t in triangles]):  # both windings
        total[:] = 0
        for triangle in order:
            total += (
                rasterize(vertices, np.array([triangle], np.int32), camera, backend=backend).triangle_id[0]
                == 0
            )
        assert (total[2:14, 2:14] == 1).all()  # top and left rim inside, right and bottom rim outside
        assert total.sum() == 144


@pytest.mark.parametrize("backend", CPU)
def test_nearest_wins_and_the_lower_id_wins_a_tie(backend: str) -> None:
    near = [(-1, -1, 0.5), (1, -1, 0.5), (1, 1, 0.5), (-1, 1, 0.5)]
    far = [(-1, -1, 0.7), (1, -1, 0.7), (1, 1, 0.7), (-1, 1, 0.7)]
    vertices = np.array([far + near + near], np.float32)
    triangles = np.array([[s, s + 1 + k, s + 2 + k] for s in (0, 4, 8) for k in (0, 1)], np.int32)
    raster = rasterize(vertices, triangles, CAMERA, backend=backend)
    assert set(np.unique(raster.triangle_id)) == {2, 3}
    np.testing.assert_allclose(raster.depth_m, 0.5, rtol=1e-6)


@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize("bad", [0.0, -0.5, 5e-4, np.nan, np.inf])
def test_triangles_at_or_behind_the_camera_are_left_out(backend: str, bad: float) -> None:
    vertices = np.array([[(-0.1, -0.1, 0.5), (0.1, -0.1, 0.5), (0, 0.1, bad), (0, 0.1, 0.5)]], np.float32)
    both = rasterize(vertices, np.array([[0, 1, 2], [0, 1, 3]], np.int32), CAMERA, backend=backend)
    alone = rasterize(vertices, np.array([[0, 1, 3]], np.int32), CAMERA, backend=backend)
    assert np.array_equal(both.depth_m, alone.depth_m)
    assert set(np.unique(both.triangle_id)) == {-1, 1}


def random_triangles(seed: int, size: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two frames of separate triangles around the camera, (2, 3 count, 3) m."""
    random = np.random.default_rng(seed)
    centers = random.uniform([-0.3, -0.3, -0.1], [0.3, 0.3, 1.0], (2, count, 1, 3))
    vertices = centers + random.normal(scale=size, size=(2, count, 3, 3))
    if seed % 2:  # many exact ties and degenerate triangles
        vertices = np.round(vertices, 1)
    triangles = np.arange(3 * count, dtype=np.int32).reshape(-1, 3)
    return vertices.reshape(2, -1, 3).astype(np.float32), triangles


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.003, 0.05, 0.3]), st.integers(1, 60))
def test_numba_equals_the_reference_on_random_triangles(seed: int, size: float, count: int) -> None:
    vertices, triangles = random_triangles(seed, size, count)
    vertices[..., 2] *= np.where(vertices[..., 2] < 0.35, -1, 1)  # keeps triangles below 1,024 px
    first = rasterize(vertices, triangles, CAMERA)
    assert same(first, rasterize(vertices, triangles, CAMERA, backend="reference"))
    assert same(first, rasterize(vertices, triangles, CAMERA))


def test_huge_triangles_next_to_the_camera_are_drawn_alike() -> None:
    for seed in range(0, 20, 2):
        vertices, triangles = random_triangles(seed, 0.4, 30)
        vertices[..., 2] = np.abs(vertices[..., 2]) * 0.01 + 0.001
        first = rasterize(vertices, triangles, CAMERA)
        other = rasterize(vertices, triangles, CAMERA, backend="reference")
        assert np.isfinite(first.depth_m).all()
        assert (first.triangle_id == other.triangle_id).mean() > 0.999
        np.testing.assert_allclose(first.depth_m, other.depth_m, rtol=1e-5)


def test_reference_in_pieces_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from rendering.rasterizers import reference_backend

    vertices, triangles = sphere(24)
    placed = (vertices * 0.1 + [0, 0, 0.5])[None].astype(np.float32)
    whole = rasterize(placed, triangles, CAMERA, backend="reference")
    monkeypatch.setattr(reference_backend, "CANDIDATES", 50)
    assert same(whole, rasterize(placed, triangles, CAMERA, backend="reference"))


def test_frames_are_independent_and_buffers_are_overwritten() -> None:
    vertices, triangles = sphere(24)
    frames = np.stack([vertices * 0.1 + [x, 0, 0.5] for x in (0.0, 0.05, -0.05)]).astype(np.float32)
    batch = rasterize(frames, triangles, CAMERA)
    buffers = empty_raster(1, CAMERA)
    for k in range(3):
        assert rasterize(frames[k : k + 1], triangles, CAMERA, out=buffers) is buffers
        assert np.array_equal(buffers.triangle_id[0], batch.triangle_id[k])
        assert np.array_equal(buffers.depth_m[0], batch.depth_m[k])
        assert np.array_equal(buffers.barycentrics[0], batch.barycentrics[k])


def test_ids_and_depth_agree_with_a_ray_caster() -> None:
    embreex = pytest.importorskip(
        "embreex.mesh_construction", reason="embreex (dev dependency) is not installed"
    )
    from embreex import rtcore_scene

    camera = Camera.centered(500.0, 256, 256)
    vertices, triangles = sphere(90)
    bumps = 1 + 0.1 * np.sin(9 * vertices[:, :1]) * np.cos(7 * vertices[:, 1:2])
    placed = (vertices * bumps * 0.1 + [0.003, 0.001, 0.5]).astype(np.float32)
    scene = rtcore_scene.EmbreeScene()
    embreex.TriangleMesh(scene, placed, triangles)
    direction = rays(camera).reshape(-1, 3).astype(np.float32)
    hit = scene.run(np.zeros_like(direction), direction, query="INTERSECT", output=True)
    raster = rasterize(placed[None], triangles, camera)
    ids = raster.triangle_id.reshape(-1)
    assert (hit["primID"].astype(np.int64).astype(np.int32) == ids).mean() >= 0.9999
    both = (ids >= 0) & (hit["primID"] == ids)
    assert both.sum() > 20000
    assert np.abs(hit["tfar"][both] - raster.depth_m.reshape(-1)[both]).max() < 5e-6


def test_bad_triangle_ids_and_buffers_are_named() -> None:
    vertices, triangles = quad([(0, 0, 1)] * 4)
    with pytest.raises(ValueError, match="from 0 to 4, need 0 to 3"):
        rasterize(vertices, np.array([[0, 1, 2], [0, 2, 4]]), CAMERA)
    with pytest.raises(ValueError, match=r"buffers are \(2, 48, 64\), need \(1, 48, 64\)"):
        rasterize(vertices, triangles, CAMERA, out=empty_raster(2, CAMERA))


@pytest.mark.parametrize("backend", ["nvdiffrast", "pytorch3d"])
def test_a_missing_backend_names_its_package_and_the_cure(backend: str) -> None:
    if importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is installed")
    with pytest.raises(ModuleNotFoundError, match=f"needs the package '{backend}.*install it from https"):
        rasterize(*quad([(0, 0, 1)] * 4), CAMERA, backend=backend)


@pytest.mark.gpu
@pytest.mark.parametrize("backend", ["nvdiffrast", "pytorch3d"])
def test_a_gpu_backend_agrees_with_numba(backend: str) -> None:
    import torch

    pytest.importorskip(backend, reason=f"{backend} (optional) is not installed")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    camera = Camera(focal_x_px=500, focal_y_px=520, center_x_px=120, center_y_px=130, width=256, height=248)
    vertices, triangles = sphere(60)
    frames = np.stack([vertices * 0.1 + [x, 0.02, 0.5] for x in (0.0, 0.05)]).astype(np.float32)
    cpu, gpu = rasterize(frames, triangles, camera), rasterize(frames, triangles, camera, backend=backend)
    agree = cpu.triangle_id == gpu.triangle_id
    assert agree.mean() > 0.999
    np.testing.assert_allclose(gpu.depth_m[agree], cpu.depth_m[agree], atol=1e-5)
    np.testing.assert_allclose(gpu.barycentrics[agree], cpu.barycentrics[agree], atol=5e-3)


@pytest.mark.parametrize("module", ["rendering.rasterizers.rasterize", "rendering.skin.settings"])
def test_importing_the_front_or_settings_imports_no_backend(module: str) -> None:
    program = (
        f"import sys, {module}; "
        "sys.exit(bool({'numba', 'torch', 'nvdiffrast', 'pytorch3d'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
