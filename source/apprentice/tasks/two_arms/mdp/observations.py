"""What policies for two arms see beside the poses of hands and objects."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from .scene import finger_positions


def gripper_pos(env: ManagerBasedEnv, eef: str) -> Tensor:
    """Finger positions of an arm (m), the second negated as in the stacking task. Shape (N, 2)."""
    return finger_positions(env, eef) * torch.tensor((1.0, -1.0), device=env.device)
