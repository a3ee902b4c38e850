"""Grippers, told so that tasks and demos need not know whose they are.

Every gripper states its grasp frame: its origin is the point between the fingertips that belongs in the middle of what
is grasped; z points along the approach, y from finger to finger. Two grippers in the same grasp frame hold alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(kw_only=True, frozen=True)
class Hand:
    """A two-finger gripper on an arm."""

    link: str
    """Link that its frames are stated in. Its axes are those of the grasp frame."""
    tcp_m: float
    """Distance from the link's origin to the grasp frame's, along z (m)."""
    fingers: tuple[str, str]
    """Joints that tell how far each finger is out."""
    half_opening: Callable[[Tensor], Tensor]
    """Distance of each fingertip from the middle (m), of those joints' positions."""
    open_m: float
    """That distance when the gripper is fully open (m)."""
