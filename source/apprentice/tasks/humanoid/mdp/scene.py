"""Where hands are and how far they are closed: what observations, signals and the Mimic interface share."""

from __future__ import annotations

from typing import Any

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import inverse, make_pose, position, rotation_from_quat
from apprentice.robots.humanoid import DexterousHand

ROBOT = "robot"


def hand_of(env: Any, eef: str) -> DexterousHand:
    """The robot's hand of that name."""
    return env.cfg.humanoid.hands[eef]


def hand_pose(env: ManagerBasedEnv, eef: str) -> Tensor:
    """Grasp frame of a hand in the environment's frame. Shape (N, 4, 4)."""
    robot, hand = env.scene[ROBOT], hand_of(env, eef)
    link = robot.data.body_link_pose_w.torch[:, robot.body_names.index(hand.link)]
    pose = make_pose(link[:, :3] - env.scene.env_origins, rotation_from_quat(link[:, 3:7]))
    return pose @ torch.tensor(hand.grasp, device=pose.device)


def hand_joints(env: ManagerBasedEnv, eef: str) -> Tensor:
    """Positions of a hand's joints (rad). Shape (N, J)."""
    robot = env.scene[ROBOT]
    return robot.data.joint_pos.torch[:, [robot.joint_names.index(name) for name in hand_of(env, eef).open]]


def closure(env: ManagerBasedEnv, eef: str) -> Tensor:
    """How far each joint that closes a hand is on its way, 0 open to 1 where it is told to close. Shape (N, K)."""
    opened, closed = hand_of(env, eef).open, hand_of(env, eef).closed
    moving = [index for index, name in enumerate(opened) if opened[name] != closed[name]]
    names = list(opened)
    start = torch.tensor([opened[names[index]] for index in moving], device=env.device)
    end = torch.tensor([closed[names[index]] for index in moving], device=env.device)
    return (hand_joints(env, eef)[:, moving] - start) / (end - start)


def grasp_point(env: Any, eef: str, name: str) -> Tensor:
    """Where a hand grasps, in the frame of an object (m). Shape (N, 3)."""
    return position(inverse(env.object_pose(name)) @ hand_pose(env, eef))
