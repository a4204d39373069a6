import numpy as np
import pytest

from rendering.builtin.head import builtin_head
from rendering.landmarks.embedding import closest_on_mesh, embed_landmarks, robust_mean, surface_points
from rendering.landmarks.views import VIEW_CAMERA, head_pose, triangle_cosines
from rendering.rasterizers.rasterize import rasterize


@pytest.fixture(scope="module")
def mesh():
    model = builtin_head().face_model
    return model.mean, model.triangles, model.skin_triangles


def test_robust_mean_stays_with_the_majority():
    points = np.random.default_rng(0).normal(0, 1e-3, (50, 3))
    points[:12] += 0.05
    assert np.linalg.norm(robust_mean(points)) < 1e-3 < np.linalg.norm(points.mean(axis=0))


def test_closest_point_of_a_surface_point_is_itself(mesh):
    mean, triangles, skin = mesh
    chosen = skin[::700]
    weights = np.random.default_rng(1).dirichlet(np.ones(3), len(chosen))
    points = np.einsum("lk,lkc->lc", weights, mean[triangles[chosen]])
    ids, found = closest_on_mesh(points, mean, triangles)
    np.testing.assert_allclose(np.einsum("lk,lkc->lc", found, mean[triangles[ids]]), points, atol=1e-6)


def test_closest_point_outside_a_triangle_is_on_its_edge():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    _, weights = closest_on_mesh(
        np.array([[0.5, -1.0, 0.3], [2.0, -1, 0]]), corners, np.array([[0, 1, 2]], np.int32)
    )
    np.testing.assert_allclose(weights @ corners, [[0.5, 0, 0], [1, 0, 0]], atol=1e-6)


def test_points_seen_from_several_sides_come_back_to_their_place(mesh):
    mean, triangles, skin = mesh
    surface = np.zeros(len(triangles), bool)
    surface[skin] = True
    front = skin[triangle_cosines(head_pose(mean, yaw_deg=0, pitch_deg=0), triangles)[skin] > 0.8][::150]
    views = []
    for yaw_deg in (-15, 0, 15):
        posed = head_pose(mean, yaw_deg=yaw_deg, pitch_deg=0)
        raster = rasterize(posed[None], triangles, VIEW_CAMERA)
        cosines = np.where(surface, triangle_cosines(posed, triangles), 0.0)
        pixels = VIEW_CAMERA.project(posed[triangles[front]].mean(axis=1))
        views.append(surface_points(pixels, raster, triangles, mean, cosines))
    embedding = embed_landmarks(np.stack(views), mean, triangles, surface)
    truth = mean[triangles[front]].mean(axis=1)
    back = np.einsum("lk,lkc->lc", embedding.barycentrics, mean[triangles[embedding.triangles]])
    assert np.median(np.linalg.norm(back - truth, axis=1)) < 4e-4
    assert np.nanmax(embedding.spread_m) < 3e-3


def test_landmarks_seen_too_rarely_are_not_embedded(mesh):
    mean, triangles, _ = mesh
    points = np.full((5, 2, 3), np.nan, np.float32)
    points[:, 0] = mean[0]
    points[0, 1] = mean[0]
    embedding = embed_landmarks(points, mean, triangles, np.ones(len(triangles), bool))
    assert embedding.triangles[0] >= 0 > embedding.triangles[1]
    assert np.isnan(embedding.spread_m[1])
