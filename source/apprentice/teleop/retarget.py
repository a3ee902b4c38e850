"""From frames to end-effector targets: follows hands through a clutch, or adds up their velocities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apprentice import poses
from apprentice.teleop.axes import to_environment, turned
from apprentice.teleop.clutch import ClutchCfg
from apprentice.teleop.follow import HandFollower
from apprentice.teleop.frame import TeleopFrame
from apprentice.teleop.smoothing import SmoothingCfg


@dataclass(kw_only=True, frozen=True)
class RetargetCfg:
    speed_m_s: float = 0.6
    """Fastest that a target moves."""
    turn_speed_rad_s: float = 2.5
    """Fastest that a target turns."""
    lead_s: float = 0.35
    """How far ahead of the wanted motion the arm is commanded: the time that it lags behind a moving target, here that
    of Isaac Lab's Franka. Without it the arm trails, and runs on after the hand has stopped."""
    leash_m: float = 0.12
    """Farthest that a target gets away from the end effector, so that a blocked arm does not jump when freed."""
    leash_rad: float = 0.6
    """The same for rotation."""
    clutch: ClutchCfg = field(default_factory=ClutchCfg)
    """For devices that track the hand's pose."""
    smoothing: SmoothingCfg = field(default_factory=SmoothingCfg)
    """For the same."""
    base_yaw_rad: float = 0.0
    """Heading of the robot's base in the environment, along whose axes operators command unless they say otherwise."""
    workspace: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    """Lowest and highest corner of the box that targets stay in, in the environment's frame (m); None leaves them free.
    A target that is outside already may only come closer."""


class Retarget:
    """Keeps a target pose per environment and end effector, and moves it as the frames say.

    Poses are in the environment's frame. Without a usable frame targets stand still.
    """

    def __init__(self, cfg: RetargetCfg, *, num_envs: int, control_hz: float) -> None:
        self._cfg, self._dt = cfg, 1.0 / control_hz
        self._targets: dict[str, Tensor] = {}
        self._grip: dict[str, Tensor] = {}
        self._waiting: set[tuple[str, int]] = set()
        self._followers: dict[tuple[str, int], HandFollower] = {}
        self._num_envs = num_envs
        self._base: Tensor | None = None

    def reset(
        self, env_ids: Sequence[int], eef_poses: Mapping[str, Tensor], grips: Mapping[str, Tensor] | None = None
    ) -> None:
        """Begin, or go on, at the poses that the end effectors have.

        Args:
            env_ids: Environments to begin in.
            eef_poses: By end effector, of all environments. Shape (N, 4, 4).
            grips: By end effector, how far the grippers are closed, 0 to 1, of all environments. Shape (N, 1). They
                stay so until the device agrees, and follow it from then on. None begins with open ones that follow at
                once.
        """
        ids = list(env_ids)
        if self._base is not None:
            self._base[ids] = torch.nan  # how it came to where it is now is not the operator's doing
        for name, current in eef_poses.items():
            if name not in self._targets:
                self._targets[name] = current.clone()
                self._grip[name] = torch.zeros(self._num_envs, 1)
            self._targets[name][ids] = current[ids]
            self._grip[name][ids] = 0.0 if grips is None else grips[name].to(self._grip[name])[ids]
            for env_id in ids:
                self._followers.pop((name, env_id), None)
                self._waiting.discard((name, env_id))
                if grips is not None:
                    self._waiting.add((name, env_id))

    def targets(
        self,
        frames: Sequence[TeleopFrame | None],
        eef_poses: Mapping[str, Tensor],
        base_pose: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Move the targets by one control step.

        Args:
            frames: One per environment; None stands still.
            eef_poses: By end effector, as they are now. Shape (N, 4, 4).
            base_pose: Where a robot that walks is now: with a base that the operator drives, targets go along. Shape
                (N, 4, 4).

        Returns:
            By end effector the pose to command, shape (N, 4, 4), and the gripper command, 1 open to -1 closed, shape
            (N, 1).
        """
        commands: dict[str, Tensor] = {}
        gone = self._gone(frames, base_pose)
        for name, current in eef_poses.items():
            start = self._targets[name] if gone is None else gone @ self._targets[name]
            twist = self._limited(self._twists(name, frames, current))
            self._targets[name] = self._inside(self._leashed(moved(start, twist, self._dt), current), start)
            self._follow_hands(name, frames, gone)
            for env_id, frame in enumerate(frames):
                if frame is not None and name in frame.hands:
                    self._take_grip(name, env_id, min(1.0, max(0.0, frame.hands[name].grip)))
            commands[name] = self._inside(moved(self._targets[name], twist, self._cfg.lead_s), self._targets[name])
        return commands, {name: 1.0 - 2.0 * grip for name, grip in self._grip.items()}

    def _gone(self, frames: Sequence[TeleopFrame | None], base_pose: Tensor | None) -> Tensor | None:
        """How the base has moved since the last step where the operator drives it. Shape (N, 4, 4)."""
        if base_pose is None:
            return None
        before = torch.full_like(base_pose, torch.nan) if self._base is None else self._base
        self._base = base_pose.clone()
        driven = torch.tensor([frame is not None and frame.base is not None for frame in frames])
        known = driven.to(base_pose.device) & ~before.isnan().any(-1).any(-1)
        motion = base_pose @ poses.inverse(torch.where(known[:, None, None], before, base_pose))
        return torch.where(known[:, None, None], motion, torch.eye(4).to(motion))

    def _twists(self, name: str, frames: Sequence[TeleopFrame | None], like: Tensor) -> Tensor:
        """Wanted velocities in the environments' axes. Shape (N, 6)."""
        twists = torch.zeros(len(frames), 6, dtype=like.dtype)
        for env_id, frame in enumerate(frames):
            if frame is not None and name in frame.hands:
                twists[env_id] = torch.as_tensor(turned(frame.hands[name].twist, self._turn(name, env_id, frame)))
        return twists.to(like.device)

    def _turn(self, name: str, env_id: int, frame: TeleopFrame) -> NDArray[np.float64] | None:
        eef = self._targets[name][env_id, :3, :3].double().numpy(force=True)
        base_yaw_rad = self._cfg.base_yaw_rad
        if self._base is not None:
            facing = self._base[env_id, :2, 0].tolist()
            base_yaw_rad = math.atan2(facing[1], facing[0])
        return to_environment(frame, eef, base_yaw_rad)

    def _take_grip(self, name: str, env_id: int, grip: float) -> None:
        """Follow the device, once it agreed with how the gripper is: an episode does not begin with a drop."""
        if (name, env_id) in self._waiting:
            if (grip > 0.5) != bool(self._grip[name][env_id] > 0.5):
                return
            self._waiting.discard((name, env_id))
        self._grip[name][env_id] = grip

    def _follow_hands(self, name: str, frames: Sequence[TeleopFrame | None], gone: Tensor | None) -> None:
        for env_id, frame in enumerate(frames):
            hand = frame.hands.get(name) if frame else None
            if frame is None or hand is None or hand.pose is None:
                self._followers.pop((name, env_id), None)  # engaging again starts from where the robot is then
                continue
            follower = self._followers.get((name, env_id))
            if follower is None:
                follower = HandFollower(self._cfg.clutch, self._cfg.smoothing, self._dt)
                self._followers[name, env_id] = follower
            if gone is not None:
                follower.carry(gone[env_id].double().numpy(force=True))
            start = self._targets[name][env_id]
            goal = follower.update(frame, hand, start.double().numpy(force=True), self._turn(name, env_id, frame))
            if goal is not None:
                step = self._limited_step(start, torch.as_tensor(goal).to(start))
                self._targets[name][env_id] = self._inside(step, start)

    def _inside(self, pose: Tensor, start: Tensor) -> Tensor:
        """Keep positions in the workspace; those that started outside get no farther from it. Shape (..., 4, 4)."""
        if self._cfg.workspace is None:
            return pose
        low, high = torch.as_tensor(self._cfg.workspace).to(pose)
        here = poses.position(start)
        at = poses.position(pose).clamp(torch.minimum(low, here), torch.maximum(high, here))
        return poses.make_pose(at, poses.rotation(pose))

    def _limited_step(self, start: Tensor, wanted: Tensor) -> Tensor:
        off = poses.position(wanted) - poses.position(start)
        turn = poses.log_rotation(poses.rotation(wanted) @ poses.rotation(start).transpose(-1, -2))
        twist = self._limited(torch.cat((off, turn), -1)[None] / self._dt)
        return moved(start[None], twist, self._dt)[0]

    def _limited(self, twist: Tensor) -> Tensor:
        linear, angular = twist.split(3, -1)
        return torch.cat((_shortened(linear, self._cfg.speed_m_s), _shortened(angular, self._cfg.turn_speed_rad_s)), -1)

    def _leashed(self, target: Tensor, current: Tensor) -> Tensor:
        off = _shortened(poses.position(target) - poses.position(current), self._cfg.leash_m)
        apart = poses.log_rotation(poses.rotation(target) @ poses.rotation(current).transpose(-1, -2))
        turn = poses.exp_rotation(_shortened(apart, self._cfg.leash_rad))
        return poses.make_pose(poses.position(current) + off, turn @ poses.rotation(current))


def moved(pose: Tensor, twist: Tensor, seconds: float) -> Tensor:
    """Where poses get to at constant velocity, turning about themselves along the axes of their frame.

    Args:
        pose: Shape (N, 4, 4).
        twist: Linear (m/s) and angular (rad/s) velocity. Shape (N, 6).
        seconds: For how long.

    Returns:
        Poses. Shape (N, 4, 4).
    """
    linear, angular = twist.split(3, -1)
    turn = poses.exp_rotation(angular * seconds)
    return poses.make_pose(poses.position(pose) + linear * seconds, turn @ poses.rotation(pose))


def _shortened(vector: Tensor, length: float) -> Tensor:
    norm = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    return vector * (length / norm.clamp(min=length))
