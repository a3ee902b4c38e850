"""Where things are: the readings that observations, signals and the Mimic interface of the stacking tasks share.

They read link poses from the simulation state, so they are right immediately after a reset; Isaac Lab's frame sensor,
which the stock task uses, is stale until the next step.
"""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

CUBES = ("cube_1", "cube_2", "cube_3")
"""Bottom, middle and top of the tower."""
HAND = "panda_hand"
HAND_TO_TCP_M = 0.1034
"""Distance from the hand's frame to the point between the fingertips, along the hand's z axis."""
FINGERS = ("panda_finger_joint1", "panda_finger_joint2")


def cube_pose(env: ManagerBasedEnv, name: str) -> Tensor:
    """Position (world) and quaternion xyzw of a cube. Shape (N, 7)."""
    return env.scene[name].data.root_link_pose_w.torch


def tcp_pose(env: ManagerBasedEnv) -> tuple[Tensor, Tensor]:
    """Point between the fingertips: position (world), shape (N, 3); quaternion xyzw, shape (N, 4)."""
    robot = env.scene["robot"]
    hand = robot.data.body_link_pose_w.torch[:, robot.body_names.index(HAND)]
    quat = hand[:, 3:7]
    return hand[:, :3] + HAND_TO_TCP_M * _z_axis(quat), quat


def finger_positions(env: ManagerBasedEnv) -> Tensor:
    """Distance of each finger from the hand's middle plane (m), 0.04 when open. Shape (N, 2)."""
    robot = env.scene["robot"]
    return robot.data.joint_pos.torch[:, [robot.joint_names.index(name) for name in FINGERS]]


def _z_axis(quat: Tensor) -> Tensor:
    x, y, z, w = quat.unbind(-1)
    return torch.stack((2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)), -1)
