import numpy as np
import pytest

from rendering.builtin.contours import mouth_line
from rendering.builtin.mesh import BuiltinSkin, skin_mesh


@pytest.fixture(scope="module")
def mesh() -> BuiltinSkin:
    return skin_mesh()


def edges_of(triangles):
    edges = np.sort(
        np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1
    )
    return np.unique(edges, axis=0, return_counts=True)


def test_no_edge_has_more_than_two_triangles_and_the_openings_are_its_borders(mesh):
    edges, counts = edges_of(mesh.triangles)
    assert counts.max() == 2
    border = {tuple(edge) for edge in edges[counts == 1]}
    for ring in (mesh.left_lids, mesh.right_lids, mesh.lips):
        own = {tuple(sorted(pair)) for pair in zip(ring, np.roll(ring, -1), strict=True)}
        assert len(own - border) <= 1  # at a mouth corner one pair may be a single point


def test_every_vertex_has_a_mirror_image(mesh):
    np.testing.assert_array_equal(mesh.mirror[mesh.mirror], np.arange(len(mesh.points)))
    np.testing.assert_allclose(mesh.points[mesh.mirror], mesh.points * [-1, 1, 1], atol=1e-9)


def test_triangles_face_outwards(mesh):
    corners = mesh.points[mesh.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    centers = corners.mean(axis=1)
    outwards = (normals * (centers - [0, 0, 0]) * [1, 0, 1]).sum(axis=1)
    level = np.abs(centers[:, 1]) < 60
    assert (outwards[level] > 0).mean() > 0.97


def test_lips_touch_but_know_upper_from_lower(mesh):
    points, sites = mesh.points[mesh.lips], mesh.sites[mesh.lips]
    np.testing.assert_allclose(points[:, 1], mouth_line(points[:, 0]), atol=1e-6)
    middle = np.abs(points[:, 0]) < 15
    above = sites[middle, 1] - mouth_line(sites[middle, 0])
    assert (above > 0.05).any()
    assert (above < -0.05).any()
    assert (np.abs(above) > 0.05).all()
