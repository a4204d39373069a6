"""The skin mesh of the builtin head: a Delaunay triangulation of points that are dense where detail is.

Rows of points follow the openings of eyes and mouth, so that lids and lips have clean edges. One half of the
head is triangulated in the plane of its unrolled surface, (UNROLL_MM x angle, row), and then mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import Delaunay, cKDTree

from rendering.arrays import Array, Bool, Int32
from rendering.builtin.contours import (
    MOUTH_GAP,
    MOUTH_HALF_WIDTH,
    eye_contour,
    lip_share,
    lower_lip_border,
    mouth_line,
    outward_normals,
    upper_lip_border,
)
from rendering.builtin.relief import add_relief
from rendering.builtin.skull import BOTTOM_ROW, TOP_MM, Skull
from rendering.polygon import inside_polygon

EYE_SAMPLES = 16
"""Points of one lid."""
LID_OFFSETS = (0.0, 1.3, 3.0, 5.0, 7.4)
"""Distances of the rows of lid points outwards from the opening, mm."""
MOUTH_SAMPLES = 14
"""Points of half a lip."""
LIP_SHARES = (0.0, 0.22, 0.5, 0.8, 1.0, 1.3)
"""Rows of lip points between the mouth line (0) and the border of the red (1), and one beyond."""
GRIDS = (
    (1.6, (6.0, 52.0), (9.0, 29.0)),
    (2.7, (0.0, 56.0), (-90.0, 30.0)),
    (4.6, (0.0, 112.0), (-126.0, 78.0)),
    (9.0, (0.0, 260.0), (BOTTOM_ROW, TOP_MM)),
)
"""Grids for brows, face, front and the whole head: spacing in mm, then the ranges of UNROLL_MM x theta and of
rows."""
UNROLL_MM = 80.0
"""Radius of the cylinder that the head is unrolled from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinSkin:
    """The symmetric skin of head and neck, design space."""

    points: Array
    """(V, 3) mm; the lips touch."""
    sites: Array
    """(V, 3) mm; the points with lips slightly apart, so that upper and lower lip can be told apart."""
    triangles: Int32
    """(F, 3), counter-clockwise seen from outside."""
    right_lids: Int32
    """Ids of the vertices around the right eye's opening, in order."""
    left_lids: Int32
    lips: Int32
    """Ids of the vertices around the mouth's opening, in order."""
    mirror: Int32
    """Id of each vertex's mirror image on the other side, (V,)."""


def skin_mesh() -> BuiltinSkin:
    """Generate the mesh: half a head triangulated in the unrolled plane, then mirrored."""
    skull = Skull()
    # The rings of the openings come first: their ids are known in the finished mesh.
    eye, mouth = eye_contour(EYE_SAMPLES), _half_mouth()
    plane = _plane(skull, np.concatenate([eye, mouth, _lid_rows(eye), _lip_rows()]))
    plane = _pruned(plane, 0.8, keep=len(eye) + len(mouth))
    holes = [plane[: len(eye)], plane[len(eye) : len(eye) + len(mouth)]]
    plane = _with_grid(plane, holes)
    # Points on the seam must lie on it exactly, or both halves would not share them.
    plane[np.abs(plane[:, 0]) < 1e-6, 0] = 0.0
    simplices = _oriented(plane, Delaunay(plane).simplices)
    # Delaunay fills the convex hull: cut the openings out again.
    centers = plane[simplices].mean(axis=1)
    simplices = simplices[~(inside_polygon(centers, holes[0]) | inside_polygon(centers, holes[1]))]
    points = add_relief(skull.points(plane[:, 0] / UNROLL_MM, plane[:, 1]))
    seam = (plane[:, 0] == 0.0) | (plane[:, 0] > np.pi * UNROLL_MM - 1e-6)
    points[seam, 0] = 0.0
    return _mirrored(points, simplices, seam, len(eye), len(mouth))


def _half_mouth() -> Array:
    """Edge of the upper lip from the middle to the corner, and of the lower lip back: (R, 2) mm."""
    x = MOUTH_HALF_WIDTH * np.sin(np.linspace(0, np.pi / 2, MOUTH_SAMPLES))
    gap = MOUTH_GAP * np.sqrt(lip_share(x))
    upper = np.stack([x, mouth_line(x) + gap], axis=1)
    lower = np.stack([x, mouth_line(x) - gap], axis=1)
    return np.concatenate([upper, lower[-2::-1]])


def _lid_rows(eye: Array) -> Array:
    normals = outward_normals(eye)
    return np.concatenate([eye + offset * normals for offset in LID_OFFSETS[1:]])


def _lip_rows() -> Array:
    x = MOUTH_HALF_WIDTH * np.sin(np.linspace(0, np.pi / 2, MOUTH_SAMPLES))
    gap = MOUTH_GAP * np.sqrt(lip_share(x))
    line = mouth_line(x)
    rows = []
    for share in LIP_SHARES[1:]:
        rows.append(np.stack([x, line + gap + share * (upper_lip_border(x) - line)], axis=1))
        rows.append(np.stack([x, line - gap - share * (line - lower_lip_border(x))], axis=1))
    return np.concatenate(rows)


def _plane(skull: Skull, front: Array) -> Array:
    """Front points (x, y) mm -> the unrolled plane (P, 2)."""
    theta, row = skull.parameters(front[:, 0], front[:, 1])
    return np.stack([UNROLL_MM * theta, row], axis=1)


def _pruned(points: Array, distance: float, *, keep: int) -> Array:
    """Leave out points closer than `distance` to an earlier one; the first `keep` points always stay."""
    close = cKDTree(points).query_pairs(distance, output_type="ndarray")
    dropped = np.zeros(len(points), bool)
    for first, second in close[np.lexsort((close[:, 1], close[:, 0]))]:
        if not dropped[first] and second >= keep:
            dropped[second] = True
    return points[~dropped]


def _with_grid(plane: Array, holes: list[Array]) -> Array:
    """Add hexagonal grids, from fine to coarse, where no other points are near."""
    for spacing, (start, reach), (low, high) in GRIDS:
        rows = np.linspace(low, high, max(2, round((high - low) / (spacing * 0.866))))
        reach = min(reach, np.pi * UNROLL_MM)
        columns = np.linspace(start, reach, round((reach - start) / spacing))
        half = (columns[1] - columns[0]) / 2
        grid = np.concatenate(
            [
                np.stack(
                    [_shifted(columns, half if k % 2 else 0.0, reach), np.full_like(columns, row)], axis=1
                )
                for k, row in enumerate(rows)
            ]
        )
        if reach == np.pi * UNROLL_MM:
            back = np.stack([np.full_like(rows, reach), rows], axis=1)
            middle = np.stack([np.zeros_like(rows), rows], axis=1)
            grid = np.concatenate([back, middle, grid])
            grid = _pruned(grid, 0.5 * spacing, keep=0)
        distance, _ = cKDTree(plane).query(grid)
        inside = inside_polygon(grid, holes[0]) | inside_polygon(grid, holes[1])
        plane = np.concatenate([plane, grid[(distance > 0.72 * spacing) & ~inside]])
    return plane


def _shifted(columns: Array, shift: float, reach: float) -> Array:
    """Shift a row of a hexagonal grid by half a step; its first point stays on the plane of symmetry."""
    moved = columns + shift
    moved[0] = columns[0]
    return np.minimum(moved, reach)


def _oriented(plane: Array, simplices: Array) -> Int32:
    """Triangles that run counter-clockwise in the plane, and so seen from outside, sorted by vertex.

    The sorting makes the result independent of the order in which Delaunay gives them.
    """
    a, b, c = (plane[simplices[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    fixed = np.where((area < 0)[:, None], simplices[:, ::-1], simplices)
    order = np.lexsort(fixed.T[::-1])
    return np.asarray(fixed[order][np.abs(area[order]) > 1e-9], np.int32)


def _mirrored(points: Array, triangles: Int32, seam: Bool, eye: int, mouth: int) -> BuiltinSkin:
    """Join both halves along the seam; the first points are the ring of the eye, then half the mouth's."""
    count = len(points)
    other = np.arange(count, dtype=np.int32)
    other[~seam] = count + np.arange((~seam).sum(), dtype=np.int32)
    whole = np.concatenate([points, points[~seam] * [-1.0, 1.0, 1.0]])
    half_lips = np.arange(eye, eye + mouth, dtype=np.int32)
    left_lids = np.arange(eye, dtype=np.int32)
    mirror = np.concatenate([other, np.flatnonzero(~seam).astype(np.int32)])
    lips = np.concatenate([half_lips, other[half_lips[-2:0:-1]]])
    # Closed lips touch; `sites` keeps them apart.
    touching = whole.copy()
    touching[lips, 1] = mouth_line(whole[lips, 0])
    return BuiltinSkin(
        points=touching,
        sites=whole,
        triangles=np.concatenate([triangles, other[triangles][:, ::-1]]),
        right_lids=other[left_lids],
        left_lids=left_lids,
        lips=lips,
        mirror=mirror,
    )
