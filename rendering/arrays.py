"""Names of the array types that geometry passes around.

An alias fixes the element type alone. The shape, the unit and the axes of an array stand in the docstring
of the function or field that takes it; the camera's axes are defined in rendering/camera.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""Any element type: for arithmetic that works in single and in double precision."""
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]
UInt8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]
