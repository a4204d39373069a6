"""Names for points of MediaPipe's face mesh: rings and pairs of indices into the 478 landmarks.

Left and right are the subject's: 33 is the outer corner of the right eye, 263 that of the left one.
"""

from __future__ import annotations

from typing import Final

FACE_OVAL: Final = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
JAW: Final = (172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397)
"""The part of the oval from one jaw angle over the chin to the other."""
LIPS_OUTER: Final = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375),
    *(291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
)
LIPS_INNER: Final = (
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324),
    *(308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)
LIPS_BETWEEN: Final = (
    *(76, 62, 77, 96, 90, 89, 180, 179, 85, 86, 16, 15, 315, 316, 404, 403, 320, 319, 307, 325),
    *(306, 292, 408, 407, 304, 272, 303, 271, 302, 268, 11, 12, 72, 38, 73, 41, 74, 42, 184, 183),
)
"""The rows of lip points between the outer and the inner ring."""
RIGHT_EYE: Final = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE: Final = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_BROW: Final = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW: Final = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
IRISES: Final = tuple(range(468, 478))

RIGHT_LID_PAIRS: Final = ((159, 145), (158, 153), (160, 144))
"""Upper and lower points of the right lids that face each other."""
LEFT_LID_PAIRS: Final = ((386, 374), (385, 380), (387, 373))
INNER_LIP_PAIRS: Final = ((13, 14), (82, 87), (312, 317))
"""Upper and lower lip points that face each other."""
OUTER_LIP_PAIR: Final = (0, 17)
RIGHT_EYE_CORNERS: Final = (33, 133)
"""Outer, inner."""
LEFT_EYE_CORNERS: Final = (263, 362)
OUTER_EYE_CORNERS: Final = (33, 263)
