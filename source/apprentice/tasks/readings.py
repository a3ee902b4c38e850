"""Where things are: what observations, signals, conditions and the Mimic interface of tasks with one hand share.

They read link poses from the simulation state, so they are right immediately after a reset; Isaac Lab's frame sensor,
which the stock tasks use, is stale until the next step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.robots.hands import Hand


def object_pose(env: ManagerBasedEnv, name: str) -> Tensor:
    """Position (world) and quaternion xyzw of an object, rigid or a link of an articulated one. Shape (N, 7)."""
    articulated: Mapping[str, tuple[str, str]] = getattr(env.cfg, "articulated_objects", {})
    if name not in articulated:
        return env.scene[name].data.root_link_pose_w.torch
    whole, link = articulated[name]
    asset = env.scene[whole]
    return asset.data.body_link_pose_w.torch[:, asset.body_names.index(link)]


def tcp_pose(env: ManagerBasedEnv) -> tuple[Tensor, Tensor]:
    """Point between the fingertips: position (world), shape (N, 3); quaternion xyzw, shape (N, 4)."""
    robot, hand = env.scene["robot"], _hand(env)
    link = robot.data.body_link_pose_w.torch[:, robot.body_names.index(hand.link)]
    quat = link[:, 3:7]
    return link[:, :3] + hand.tcp_m * _z_axis(quat), quat


def finger_positions(env: ManagerBasedEnv) -> Tensor:
    """Distance of each finger from the hand's middle plane (m), 0 when closed on nothing. Shape (N, 2)."""
    robot, hand = env.scene["robot"], _hand(env)
    joints = [robot.joint_names.index(name) for name in hand.fingers]
    return hand.half_opening(robot.data.joint_pos.torch[:, joints])


def eef_pos(env: ManagerBasedEnv) -> Tensor:
    """Point between the fingertips in the environment's frame. Shape (N, 3)."""
    return tcp_pose(env)[0] - env.scene.env_origins


def eef_quat(env: ManagerBasedEnv) -> Tensor:
    """Orientation of the hand, xyzw. Shape (N, 4)."""
    return tcp_pose(env)[1].clone()


def gripper_pos(env: ManagerBasedEnv) -> Tensor:
    """Finger positions in metres, the second negated as in the stock task. Shape (N, 2)."""
    return finger_positions(env) * torch.tensor((1.0, -1.0), device=env.device)


def _hand(env: ManagerBasedEnv) -> Hand:
    one_armed: Any = env
    return one_armed.hand


def _z_axis(quat: Tensor) -> Tensor:
    x, y, z, w = quat.unbind(-1)
    return torch.stack((2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)), -1)
