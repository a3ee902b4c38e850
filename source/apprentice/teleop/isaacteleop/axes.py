"""Between OpenXR's axes (x right, y up, z backwards) and an operator's (x forward, y left, z up)."""

from __future__ import annotations

import numpy as np

from apprentice.teleop.frame import Pose

_OPERATOR_FROM_OPENXR = np.array(
    ((0.0, 0.0, -1.0, 0.0), (-1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
)


def from_openxr(pose: Pose) -> Pose:
    """A pose of OpenXR's as operators' sources give it: along other axes, and of other axes. Shape (4, 4)."""
    return _OPERATOR_FROM_OPENXR @ pose @ _OPERATOR_FROM_OPENXR.T


def to_openxr(pose: Pose) -> Pose:
    """The inverse of `from_openxr`. Shape (4, 4)."""
    return _OPERATOR_FROM_OPENXR.T @ pose @ _OPERATOR_FROM_OPENXR
