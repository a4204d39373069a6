"""The large form of the builtin head: splines through a table of radii, as one could measure them by hand.

All of this folder works in design space: millimetres, +x the subject's left, +y UP, +z out of the face;
y = 0 at the pupils, z = 0 in the plane of the ears. head.py turns the result into model axes and metres.
A surface point has two parameters: the angle theta around the vertical axis (0 = front) and the row t.
Rows are level on the face (t = y); towards the neck they rise from chin to ear, as a jaw line does.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator, RectBivariateSpline
from scipy.ndimage import gaussian_filter1d

from rendering.arrays import Array

ANGLES_DEG = (0, 15, 30, 45, 60, 75, 90, 120, 150, 180)
# Row t -> radius in mm at each angle.
RADII: dict[int, tuple[float, ...]] = {
    104: (34, 34, 34, 33, 31, 30, 29, 34, 43, 47),
    96: (55, 55, 54, 52, 48, 45, 43, 49, 59, 63),
    84: (73, 74, 73, 69, 63, 58, 56, 62, 74, 78),
    68: (88, 89, 88, 82, 74, 68, 65, 71, 83, 88),
    48: (96, 97, 95, 88, 79, 74, 71, 78, 91, 95),
    25: (98, 98, 95, 88, 80, 76, 74, 81, 93, 98),
    8: (92, 91, 88, 83, 78, 76, 75, 81, 93, 98),
    -5: (88, 88, 86, 84, 79, 75, 73, 80, 91, 96),
    -20: (90, 91, 90, 87, 79, 74, 71, 77, 87, 91),
    -35: (94, 95, 93, 86, 76, 70, 68, 72, 80, 84),
    -47: (97, 97, 93, 82, 72, 67, 65, 68, 73, 77),
    -60: (99, 98, 89, 77, 68, 63, 61, 62, 66, 70),
    -72: (98, 97, 86, 73, 64, 61, 59, 58, 61, 64),
    -87: (95, 92, 80, 67, 60, 58, 57, 55, 57, 60),
    -102: (96, 89, 74, 62, 57, 56, 55, 54, 55, 58),
    -114: (91, 83, 69, 59, 56, 55, 54, 53, 54, 57),
    -122: (78, 72, 63, 57, 54, 53, 53, 52, 53, 56),
    -134: (58, 57, 55, 53, 52, 52, 52, 52, 53, 56),
    -152: (48, 49, 50, 51, 52, 53, 53, 53, 54, 57),
    -178: (48, 49, 51, 54, 56, 57, 58, 58, 58, 60),
    -205: (52, 54, 58, 62, 65, 67, 68, 67, 65, 66),
}
# Row t -> height y in mm at the same angles, where it differs from t.
HEIGHTS: dict[int, tuple[float, ...]] = {
    -35: (-35, -35, -35, -35, -34, -34, -33, -32, -31, -31),
    -47: (-47, -47, -47, -46, -45, -44, -42, -40, -39, -39),
    -60: (-60, -60, -60, -59, -57, -54, -51, -48, -46, -46),
    -72: (-72, -72, -71, -69, -65, -61, -57, -54, -52, -52),
    -87: (-87, -87, -85, -81, -75, -70, -65, -61, -59, -59),
    -102: (-102, -101, -97, -90, -83, -77, -72, -68, -67, -67),
    -114: (-113, -111, -106, -98, -90, -84, -79, -76, -75, -75),
    -122: (-119, -117.5, -112, -104, -96, -90, -87, -84, -83, -83),
    -134: (-122, -121, -117, -111, -105, -101, -98, -96, -95, -95),
    -152: (-137, -136, -134, -131, -128, -126, -124, -122, -121, -121),
    -178: (-165, -165, -164, -163, -161, -160, -159, -158, -157, -157),
    -205: (-195, -195, -195, -195, -195, -195, -195, -195, -195, -195),
}
TOP_MM = 112.0
"""Height of the crown."""
BOTTOM_ROW = -205.0
ROWS = 106
"""Rows that the table is resampled to before the splines are made."""


class Skull:
    """The splined table: maps parameters (theta rad, row mm) to points, and points of the front back."""

    def __init__(self) -> None:
        table_rows = np.array(sorted(RADII), float)
        heights = np.array([HEIGHTS.get(int(row), (row,) * len(ANGLES_DEG)) for row in table_rows], float)
        squares = np.array([RADII[int(row)] for row in table_rows], float) ** 2
        # The crown closes at TOP_MM: r^2 falls to zero linearly in y, as on a sphere.
        table_rows = np.append(table_rows, TOP_MM)
        squares = np.vstack([squares, np.zeros(len(ANGLES_DEG))])
        heights = np.vstack([heights, np.full(len(ANGLES_DEG), TOP_MM)])
        rows = np.linspace(BOTTOM_ROW, TOP_MM, ROWS)
        self._square = _surface(table_rows, squares, rows)
        self._height = _surface(table_rows, heights, rows)

    def points(self, theta: Array, row: Array) -> Array:
        """Surface points of parameters: theta (P,) rad, row (P,) mm -> (P, 3) mm."""
        radius = np.sqrt(np.maximum(self._square.ev(row, np.abs(theta)), 0.0))
        height = self._height.ev(row, np.abs(theta))
        return np.stack([radius * np.sin(theta), height, radius * np.cos(theta)], axis=1)

    def parameters(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Parameters of the front point over each (x, y): (P,), (P,) mm -> theta (P,) rad, row (P,) mm.

        Thirty steps of a quasi-Newton iteration: sideways errors turn theta, errors in height move the row.
        """
        theta, row = x / 90.0, y.astype(float)
        for _ in range(30):
            point = self.points(theta, row)
            theta = theta + (x - point[:, 0]) / np.maximum(point[:, 2], 30.0)
            row = row + (y - point[:, 1])
        return theta, row


def _surface(table_rows: Array, table: Array, rows: Array) -> RectBivariateSpline:
    """Spline surface of a table: rows by a monotone spline (no overshoot at the chin), angles by a cubic one.

    Angles are mirrored at front and back, so that the surface is smooth there.
    """
    fine = gaussian_filter1d(PchipInterpolator(table_rows, table)(rows), 1.2, axis=0, mode="nearest")
    fine[[0, -1]] = table[[0, -1]]
    angles = np.radians(ANGLES_DEG)
    mirrored = np.concatenate([-angles[3:0:-1], angles, 2 * np.pi - angles[-2:-5:-1]])
    values = np.concatenate([fine[:, 3:0:-1], fine, fine[:, -2:-5:-1]], axis=1)
    return RectBivariateSpline(rows, mirrored, values)
