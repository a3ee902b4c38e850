"""When an object counts as lifted."""

from __future__ import annotations

from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.tasks.tabletop.mdp.conditions import calm, grasped, height


def lifted(env: ManagerBasedEnv, name: str, width_m: float, above_m: float) -> Tensor:
    """Whether the gripper holds an object up, calmly. Shape (N,).

    Args:
        env: The environment.
        name: The object.
        width_m: Its width where it is held.
        above_m: Height of its centre from which it is up.
    """
    return grasped(env, name, width_m) & (height(env, name) > above_m) & calm(env, (name,))
