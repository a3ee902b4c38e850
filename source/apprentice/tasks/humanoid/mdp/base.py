"""The base on which a humanoid moves about: the action that drives it, where it is, and how it keeps up with a hand."""

from __future__ import annotations

import math
from dataclasses import MISSING
from typing import Any

import torch
from isaaclab.envs import ManagerBasedEnv
from isaaclab.managers import ActionTerm, ActionTermCfg
from isaaclab.utils import configclass
from torch import Tensor

from apprentice.poses import make_pose, position, rotation, rotation_from_quat, rotation_z
from apprentice.robots.humanoid import PlanarBase

from .scene import ROBOT


class PlanarBaseAction(ActionTerm):
    """Drives a planar base: velocity forward (m/s), to the left (m/s) and of turning left (rad/s), as the robot faces.

    The base takes up a velocity no faster than a walking robot does. All it remembers is the simulator's own state.
    """

    cfg: PlanarBaseActionCfg
    _asset: Any

    def __init__(self, cfg: PlanarBaseActionCfg, env: Any) -> None:
        super().__init__(cfg, env)
        self._joint_ids = [self._asset.joint_names.index(name) for name in cfg.base.joints]
        self._raw_actions = torch.zeros(self.num_envs, 3, device=self.device)
        self._processed_actions = torch.zeros_like(self._raw_actions)

    @property
    def action_dim(self) -> int:
        return 3

    @property
    def raw_actions(self) -> Tensor:
        return self._raw_actions

    @property
    def processed_actions(self) -> Tensor:
        """Velocities within what the base can do, as the robot faces. Shape (N, 3)."""
        return self._processed_actions

    def process_actions(self, actions: Tensor) -> None:
        base = self.cfg.base
        self._raw_actions[:] = actions
        self._processed_actions[:] = torch.cat(
            (_shortened(actions[:, :2], base.speed_m_s), _shortened(actions[:, 2:], base.turn_speed_rad_s)), 1
        )

    def apply_actions(self) -> None:
        base, data, dt = self.cfg.base, self._asset.data, self._env.physics_dt
        now = data.joint_vel.torch[:, self._joint_ids]
        yaw = data.joint_pos.torch[:, self._joint_ids[2]]
        asked = self._processed_actions
        slide = (rotation_z(yaw)[:, :2, :2] @ asked[:, :2, None])[..., 0] - now[:, :2]
        turn = asked[:, 2:] - now[:, 2:]
        change = torch.cat(
            (_shortened(slide, base.acceleration_m_s2 * dt), _shortened(turn, base.turn_acceleration_rad_s2 * dt)), 1
        )
        self._asset.set_joint_velocity_target_index(target=now + change, joint_ids=self._joint_ids)

    def reset(self, env_ids: Any = None) -> None:
        chosen = slice(None) if env_ids is None else env_ids
        self._raw_actions[chosen] = self._processed_actions[chosen] = 0.0


@configclass
class PlanarBaseActionCfg(ActionTermCfg):
    """Of `PlanarBaseAction`."""

    class_type: Any = PlanarBaseAction
    base: PlanarBase = MISSING  # pyright: ignore[reportAssignmentType]
    """What it drives."""

    @property
    def width(self) -> int:
        """Numbers that it takes of an action."""
        return 3


@configclass
class KeepUpCfg:
    """How a base keeps up with a hand: it goes to where it has the hand in front of it."""

    place_m: tuple[float, float] = (0.43, -0.14)
    """Where the hand is at ease, as the robot faces."""
    free_m: float = 0.03
    """Distance of the hand from there within which the base stays where it is."""
    free_rad: float = 0.1
    """Turn of the hand within which the base does not turn."""
    gain: float = 3.0
    """Velocity per distance (1/s)."""


def base_pose(env: ManagerBasedEnv) -> Tensor:
    """Where the pelvis is and faces, on the floor, in the environment's frame. Shape (N, 4, 4)."""
    cfg: Any = env.cfg
    robot = env.scene[ROBOT]
    link = robot.data.body_link_pose_w.torch[:, robot.body_names.index(cfg.humanoid.base.link)]
    facing = rotation_from_quat(link[:, 3:7])
    place = torch.cat((link[:, :2] - env.scene.env_origins[:, :2], torch.zeros_like(link[:, :1])), 1)
    return make_pose(place, rotation_z(torch.atan2(facing[:, 1, 0], facing[:, 0, 0])))


def base_state(env: ManagerBasedEnv) -> Tensor:
    """Observation: x, y (m) of the pelvis in the environment's frame, cosine and sine of its heading. Shape (N, 4)."""
    pose = base_pose(env)
    return torch.cat((position(pose)[:, :2], pose[:, :2, 0]), 1)


def keep_up(base: Tensor, hand: Tensor, cfg: KeepUpCfg) -> Tensor:
    """Velocities that bring a base to where it has a hand, or the hand's target, in front of it.

    Args:
        base: Where it is and faces. Shape (N, 4, 4).
        hand: A grasp frame, whose z axis points along the forearm. Shape (N, 4, 4).
        cfg: How.

    Returns:
        Forward and to the left (m/s), turning left (rad/s), as the robot faces. Shape (N, 3).
    """
    ahead = rotation(hand)[:, :, 2]
    heading = torch.atan2(ahead[:, 1], ahead[:, 0])
    level = ahead[:, :2].norm(dim=1) > math.sin(0.5)  # a hand that points down says nothing about where to face
    facing = torch.atan2(base[:, 1, 0], base[:, 0, 0])
    turn = torch.where(level, torch.remainder(heading - facing + math.pi, 2 * math.pi) - math.pi, 0.0)[:, None]
    turn = _beyond(turn, cfg.free_rad)
    # the place to stand at, facing as the hand points
    in_front = rotation_z(facing + turn[:, 0])[:, :2, :2] @ hand.new_tensor(cfg.place_m)
    off = position(hand)[:, :2] - in_front - position(base)[:, :2]
    off = (rotation(base)[:, :2, :2].mT @ off[..., None])[..., 0]
    return cfg.gain * torch.cat((_beyond(off, cfg.free_m), turn), 1)


def _shortened(vector: Tensor, length: float) -> Tensor:
    norm = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    return vector * (length / norm.clamp(min=length))


def _beyond(vector: Tensor, free: float) -> Tensor:
    """What of a vector is longer than `free`. Shape (N, D)."""
    norm = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    return vector * ((norm - free).clamp(min=0.0) / norm.clamp(min=1e-9))
