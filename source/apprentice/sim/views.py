"""Cameras: where they stand, and what they look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(kw_only=True, frozen=True)
class CameraView:
    """A camera and where it looks."""

    name: str
    """Name of its images."""
    eye_m: tuple[float, float, float]
    """Position in the environment's frame, or in that of `link`."""
    target_m: tuple[float, float, float]
    """Point in the middle of the image, in the same frame."""
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    """Direction that is up in the image, in the same frame. Not along the line of sight."""
    field_of_view_deg: float = 45.0
    """Vertical opening angle."""
    link: str | None = None
    """Robot link that carries the camera; None stands still."""

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Orientation: x to the right, y up in the image, z backwards. Shape (3, 3)."""
        back = np.subtract(self.eye_m, self.target_m)
        back = back / np.linalg.norm(back)
        right = np.cross(self.up, back)
        right /= np.linalg.norm(right)
        return np.stack((right, np.cross(back, right), back), axis=1)


FRONT = CameraView(name="front", eye_m=(1.3, -0.58, 0.72), target_m=(0.32, 0.02, 0.24))
"""The robot and its table from the front, for people."""
TABLE = CameraView(name="table", eye_m=(1.0, 0.0, 0.4), target_m=(0.48, 0.0, 0.04), field_of_view_deg=40.0)
"""The work area from close by, for policies."""
WRIST = CameraView(
    name="wrist",
    eye_m=(0.075, 0.0, 0.04),
    target_m=(0.015, 0.0, 0.15),
    up=(1.0, 0.0, 0.0),
    field_of_view_deg=70.0,
    link="panda_hand",
)
"""What a camera on the Panda's hand sees, for policies."""
