"""What tasks need to know about a humanoid that stands, told so that they need not know which one it is.

Its end effectors are its hands. A hand's grasp frame (see `apprentice.robots.hands`): the origin lies between the thumb
and the fingers, z points along the forearm, y to the left and x down when the hand points forward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from isaaclab.assets import ArticulationCfg

SIDES = ("left", "right")

# neither is frozen: they stand in configurations, and Isaac Lab writes back each value that it looks at


@dataclass(kw_only=True)
class DexterousHand:
    """A hand of several fingers that opens and closes as one."""

    link: str
    """Link that carries it."""
    grasp: tuple[tuple[float, ...], ...]
    """The grasp frame in that link's. Shape (4, 4)."""
    open: dict[str, float]
    """Its joints when it is open (rad)."""
    closed: dict[str, float]
    """What its joints are told to close it (rad)."""


@dataclass(kw_only=True)
class PlanarBase:
    """What moves a humanoid over the floor: it is told velocities, and nobody has to balance it.

    Where a walking controller takes its place, actions stay as they are.
    """

    link: str
    """Link that it carries: the pelvis."""
    joints: tuple[str, str, str]
    """Along the floor's x and y, and about its z."""
    speed_m_s: float = 0.8
    """Fastest that it goes."""
    turn_speed_rad_s: float = 1.2
    """Fastest that it turns."""
    acceleration_m_s2: float = 1.5
    """How fast its velocity changes at most."""
    turn_acceleration_rad_s2: float = 3.0
    """How fast its turning changes at most."""


@dataclass(kw_only=True)
class Humanoid:
    """A robot that stands, with a waist, two arms and two hands."""

    articulation: Callable[[], ArticulationCfg]
    """Makes its configuration."""
    hands: Mapping[str, DexterousHand]
    """Its hands, by side."""
    waist_joints: tuple[str, ...]
    """Joints that both arms share."""
    above_table_m: float
    """Height of its root link above the top of a table at which it works."""
    torso: str
    """Link that carries the head."""
    eye_m: tuple[float, float, float]
    """Where it looks from, in that link's frame."""
    base: PlanarBase | None = None
    """What moves it about; None if it stands fast."""
