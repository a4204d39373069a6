import numpy as np

from rendering.normals import vertex_normals


def grid_sphere(steps: int = 60) -> tuple[np.ndarray, np.ndarray]:
    polar, azimuth = np.meshgrid(
        np.linspace(0.05, np.pi - 0.05, steps), np.linspace(0, 2 * np.pi, steps), indexing="ij"
    )
    points = [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)]
    vertices = np.stack(points, axis=-1).reshape(-1, 3).astype(np.float32)
    first = (np.arange(steps - 1)[:, None] * steps + np.arange(steps - 1)).reshape(-1)
    lower = np.stack([first, first + steps, first + steps + 1], axis=-1)
    upper = np.stack([first, first + steps + 1, first + 1], axis=-1)
    return vertices, np.concatenate([lower, upper]).astype(np.int32)


def test_normals_of_a_sphere_point_outwards() -> None:
    vertices, triangles = grid_sphere()
    normals = vertex_normals((vertices * 0.1 + 3)[None].astype(np.float32), triangles)[0]
    inner = np.abs(vertices[:, 2]) < 0.9
    assert (np.sum(normals * vertices, axis=-1)[inner] > 0.99).all()
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-6)


def test_large_triangles_weigh_more() -> None:
    # Two triangles at vertex 0: area 50 facing +z, area 0.5 facing +x.
    vertices = np.array([[(0, 0, 0), (10, 0, 0), (0, 10, 0), (0, 1, 0), (0, 0, 1)]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 3, 4]], np.int32)
    normal = vertex_normals(vertices, triangles)[0, 0]
    np.testing.assert_allclose(normal, np.array([1, 0, 100]) / np.sqrt(10001), atol=1e-6)


def test_lonely_vertices_get_zero_and_buffers_are_used() -> None:
    vertices = np.array([[(0, 0, 0), (1, 0, 0), (0, 1, 0), (5, 5, 5)]] * 2, np.float32)
    triangles = np.array([[0, 1, 2]], np.int32)
    buffer = np.full_like(vertices, np.nan)
    assert vertex_normals(vertices, triangles, out=buffer) is buffer
    assert (buffer[:, 3] == 0).all()
    assert (buffer[:, :3] == [0, 0, 1]).all()
