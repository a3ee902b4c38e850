"""When an object counts as placed."""

from __future__ import annotations

from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import position
from apprentice.tasks.tabletop.mdp.conditions import at_rest, released, seen_from

SINKS_M = 0.003
"""How far the centre of what lies on something may be from where it belongs, in height."""


def placed(env: ManagerBasedEnv, name: str, onto: str, height_m: float, within_m: float, open_m: float) -> Tensor:
    """Whether an object lies on another, at rest, the gripper released. Shape (N,).

    Args:
        env: The environment.
        name: The object.
        onto: The other.
        height_m: Height of the one's centre above the other's.
        within_m: Farthest that it may be from the middle, along each of the other's sides.
        open_m: Distance of a finger from the middle from which the gripper is released.
    """
    place = position(seen_from(env, name, onto))
    lies = (place[:, :2].abs() < within_m).all(1) & ((place[:, 2] - height_m).abs() < SINKS_M)
    return lies & released(env, open_m) & at_rest(env, (name,))
