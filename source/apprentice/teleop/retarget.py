"""From frames to end-effector targets: follows hands through a clutch, or adds up their velocities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from apprentice import poses
from apprentice.teleop.clutch import Clutch, ClutchCfg
from apprentice.teleop.frame import Hand, TeleopFrame


@dataclass(kw_only=True, frozen=True)
class RetargetCfg:
    speed_m_s: float = 0.6
    """Fastest that a target moves."""
    turn_speed_rad_s: float = 2.5
    """Fastest that a target turns."""
    lead_s: float = 0.35
    """How far ahead of the wanted motion the arm is commanded: the time that Isaac Lab's Franka lags behind a moving
    target. Without it the arm trails, and runs on after the hand has stopped."""
    leash_m: float = 0.12
    """Farthest that a target gets away from the end effector, so that a blocked arm does not jump when freed."""
    leash_rad: float = 0.6
    """The same for rotation."""
    clutch: ClutchCfg = field(default_factory=ClutchCfg)
    """For devices that track the hand's pose."""


class Retarget:
    """Keeps a target pose per environment and end effector, and moves it as the frames say.

    Poses are in the environment's frame, whose axes are the robot base's. Without a usable frame targets stand still.
    """

    def __init__(self, cfg: RetargetCfg, *, num_envs: int, control_hz: float) -> None:
        self._cfg, self._dt = cfg, 1.0 / control_hz
        self._targets: dict[str, Tensor] = {}
        self._grip: dict[str, Tensor] = {}
        self._clutches: dict[tuple[str, int], Clutch] = {}
        self._num_envs = num_envs

    def reset(self, env_ids: Sequence[int], eef_poses: Mapping[str, Tensor]) -> None:
        """Begin at the poses that the end effectors have, grippers open.

        Args:
            env_ids: Environments to begin in.
            eef_poses: By end effector, of all environments. Shape (N, 4, 4).
        """
        ids = list(env_ids)
        for name, current in eef_poses.items():
            if name not in self._targets:
                self._targets[name] = current.clone()
                self._grip[name] = torch.zeros(self._num_envs, 1)
            self._targets[name][ids] = current[ids]
            self._grip[name][ids] = 0.0
            for env_id in ids:
                self._clutches.pop((name, env_id), None)

    def targets(
        self, frames: Sequence[TeleopFrame | None], eef_poses: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Move the targets by one control step.

        Args:
            frames: One per environment; None stands still.
            eef_poses: By end effector, as they are now. Shape (N, 4, 4).

        Returns:
            By end effector the pose to command, shape (N, 4, 4), and the gripper command, 1 open to -1 closed, shape
            (N, 1).
        """
        commands: dict[str, Tensor] = {}
        for name, current in eef_poses.items():
            hands = [frame.hands.get(name) if frame else None for frame in frames]
            twist = self._limited(_twists(hands, current))
            self._targets[name] = self._leashed(moved(self._targets[name], twist, self._dt), current)
            self._follow_hands(name, hands, current)
            for env_id, hand in enumerate(hands):
                if hand is not None:
                    self._grip[name][env_id] = min(1.0, max(0.0, hand.grip))
            commands[name] = moved(self._targets[name], twist, self._cfg.lead_s)
        return commands, {name: 1.0 - 2.0 * grip for name, grip in self._grip.items()}

    def _follow_hands(self, name: str, hands: Sequence[Hand | None], current: Tensor) -> None:
        for env_id, hand in enumerate(hands):
            if hand is None or hand.pose is None:
                self._clutches.pop((name, env_id), None)  # engaging again starts from where the robot is then
                continue
            clutch = self._clutches.get((name, env_id))
            if clutch is None:
                target = self._targets[name][env_id].double().numpy()
                clutch = self._clutches[name, env_id] = Clutch(self._cfg.clutch, target)
            wanted = torch.as_tensor(clutch.update(hand.pose, hand.engaged)).to(current)
            self._targets[name][env_id] = self._limited_step(self._targets[name][env_id], wanted)

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


def _twists(hands: Sequence[Hand | None], like: Tensor) -> Tensor:
    twists = torch.zeros(len(hands), 6, dtype=like.dtype)
    for env_id, hand in enumerate(hands):
        if hand is not None:
            twists[env_id] = torch.as_tensor(hand.twist)
    return twists.to(like.device)


def _shortened(vector: Tensor, length: float) -> Tensor:
    norm = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    return vector * (length / norm.clamp(min=length))
