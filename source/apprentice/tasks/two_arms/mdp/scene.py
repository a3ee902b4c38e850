"""Where things are: the readings that observations, signals and the Mimic interface of the two-arm tasks share."""

from __future__ import annotations

from typing import Any

from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import inverse, make_pose, position, rotation_from_quat
from apprentice.robots.hands import Hand

EEFS = ("left", "right")


def arm_of(eef: str) -> str:
    """Name of an end effector's robot in the scene."""
    return f"{eef}_arm"


def hand_of(env: ManagerBasedEnv) -> Hand:
    """The gripper that both arms have."""
    two_armed: Any = env
    return two_armed.hand


def tcp_pose(env: ManagerBasedEnv, eef: str) -> Tensor:
    """Grasp frame of an arm's hand in the environment's frame. Shape (N, 4, 4)."""
    arm, hand = env.scene[arm_of(eef)], hand_of(env)
    link = arm.data.body_link_pose_w.torch[:, arm.body_names.index(hand.link)]
    turn = rotation_from_quat(link[:, 3:7])
    return make_pose(link[:, :3] - env.scene.env_origins + hand.tcp_m * turn[..., 2], turn)


def object_pose(env: ManagerBasedEnv, name: str) -> Tensor:
    """An object in the environment's frame. Shape (N, 4, 4)."""
    pose = env.scene[name].data.root_link_pose_w.torch
    return make_pose(pose[:, :3] - env.scene.env_origins, rotation_from_quat(pose[:, 3:7]))


def finger_positions(env: ManagerBasedEnv, eef: str) -> Tensor:
    """Distance of each finger from the hand's middle plane (m), 0 when closed on nothing. Shape (N, 2)."""
    arm, hand = env.scene[arm_of(eef)], hand_of(env)
    return hand.half_opening(arm.data.joint_pos.torch[:, [arm.joint_names.index(name) for name in hand.fingers]])


def grasp_point(env: ManagerBasedEnv, eef: str, name: str) -> Tensor:
    """Point between an arm's fingertips in the frame of an object (m). Shape (N, 3)."""
    return position(inverse(object_pose(env, name)) @ tcp_pose(env, eef))
