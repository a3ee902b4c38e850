"""Inverse kinematics of a robot with several end effectors that share joints, for many robots at once.

Isaac Lab's Pink controller solves the same problem, one robot at a time: frame tasks for the end effectors, a posture
in what they leave free, joint limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from apprentice.poses import log_rotation, make_pose, position, rotation

from .kinematics import joints_to


@dataclass(kw_only=True)
class WholeBodyCfg:
    metres_per_rad: float = 0.3
    """Exchange rate between errors in position and in rotation."""
    damping: float = 0.01
    """Of the least squares (m per rad of the joints), so that steps stay small near stretched arms."""
    far_damping: float = 0.3
    """How much is added to that per metre of error (Levenberg and Marquardt): far targets are approached calmly."""
    reluctance: Mapping[str, float] | None = None
    """How much rather other joints move than these, as a factor on the cost of their motion; 1 where missing."""
    posture_gain: float = 0.3
    """Share of the way to the rest posture that is gone in an iteration, as far as the end effectors allow."""
    iterations: int = 3
    """Steps of the search from where the robot is."""
    longest_rad: float = 0.4
    """Longest step of a joint in an iteration."""


class WholeBody:
    """A robot's joints between its base link and E of its links; D of them move. Everything is float64."""

    def __init__(
        self,
        usd: Path | str,
        tools: Mapping[str, Tensor],
        *,
        rest: Mapping[str, float],
        base: str | None = None,
        cfg: WholeBodyCfg | None = None,
    ) -> None:
        """Read a robot.

        Args:
            usd: Its file.
            tools: By link, the frame that is controlled, in the link's. Shape (4, 4).
            rest: Posture to be near to, by joint (rad or m); 0 where missing.
            base: Link to begin at, which something else moves; None begins at the root.
            cfg: How to solve.

        Raises:
            UserError: If the file has no such link, or joints of other kinds lead to it.
        """
        self._cfg = cfg or WholeBodyCfg()
        paths = {link: joints_to(str(usd), link, base) for link in tools}
        known = {joint.name: joint for path in paths.values() for joint in path if joint.kind != "fixed"}
        self.names = tuple(known)
        """Joints that move, those of the first end effector from the base on, then what others add. D of them."""
        self.lower = torch.tensor([joint.lower for joint in known.values()], dtype=torch.float64)
        self.upper = torch.tensor([joint.upper for joint in known.values()], dtype=torch.float64)
        self._rest = torch.tensor([rest.get(name, 0.0) for name in self.names], dtype=torch.float64)
        costs = self._cfg.reluctance or {}
        self._ease = torch.tensor([1.0 / costs.get(name, 1.0) for name in self.names], dtype=torch.float64)
        self._chains = [_Chain(paths[link], self.names, tool.double()) for link, tool in tools.items()]
        scale = torch.tensor([1.0] * 3 + [self._cfg.metres_per_rad] * 3, dtype=torch.float64)
        self._scale = scale.repeat(len(tools))

    def forward(self, joints: Tensor) -> Tensor:
        """Controlled frames in the base link's frame. Shape (N, E, 4, 4) of joint positions (N, D)."""
        return torch.stack([chain.evaluate(joints)[0] for chain in self._chains], 1)

    def solve(self, targets: Tensor, start: Tensor) -> Tensor:
        """Joint positions within the limits that bring the end effectors near to targets.

        Args:
            targets: In the base link's frame. Shape (N, E, 4, 4).
            start: Where the joints are. Shape (N, D).

        Returns:
            Joint positions. Shape (N, D).
        """
        joints = start.clamp(self.lower, self.upper)
        for _ in range(self._cfg.iterations):
            joints = self._step(targets, joints)
        return joints

    def _step(self, targets: Tensor, joints: Tensor) -> Tensor:
        """One step of damped least squares over the joints that are free to take it."""
        evaluated = [chain.evaluate(joints) for chain in self._chains]
        error = torch.cat([_error(pose, targets[:, k]) for k, (pose, _) in enumerate(evaluated)], 1) * self._scale
        jacobian = torch.cat([part for _, part in evaluated], 1) * self._scale[:, None]
        wanted = (error[:, None] @ jacobian)[:, 0]
        # what stands at a limit and is pulled beyond it takes no part; others do its share
        stuck = ((joints <= self.lower) & (wanted < 0)) | ((joints >= self.upper) & (wanted > 0))
        ease = self._ease * ~stuck
        jacobian = jacobian * ease.sqrt()[:, None]
        far = (self._cfg.far_damping * error).square().sum(1)[:, None, None]
        damping = (self._cfg.damping**2 + far) * torch.eye(jacobian.shape[1], dtype=joints.dtype)
        to_rest = self._cfg.posture_gain * (self._rest - joints) * self._ease.rsqrt() * ~stuck
        # towards the posture in the null space: what its motion would do to the end effectors is taken out
        rows = error - (jacobian @ to_rest[:, :, None])[:, :, 0]
        solved = torch.linalg.solve(jacobian @ jacobian.mT + damping, rows[:, :, None])
        step = ((jacobian.mT @ solved)[:, :, 0] + to_rest) * ease.sqrt()
        longest = step.abs().amax(1, keepdim=True).clamp_min(self._cfg.longest_rad)
        return (joints + step * (self._cfg.longest_rad / longest)).clamp(self.lower, self.upper)


class _Chain:
    """The joints between the base and one end effector, K of them, prepared for many evaluations."""

    def __init__(self, joints: Sequence, names: Sequence[str], tool: Tensor) -> None:
        before, placements, moving = torch.eye(4, dtype=torch.float64), [], []
        for joint in joints:
            before = before @ joint.in_parent
            if joint.kind != "fixed":
                placements.append(before)
                moving.append(joint)
                before = torch.eye(4, dtype=torch.float64)
            before = before @ joint.from_child
        self._end = before @ tool
        self._placements = torch.stack(placements)
        self._columns = [names.index(joint.name) for joint in moving]
        self._axes = torch.stack([joint.axis for joint in moving])
        self._crosses = torch.linalg.cross(
            self._axes[:, None].expand(-1, 3, 3), torch.eye(3, dtype=torch.float64).expand(len(moving), 3, 3), dim=-1
        ).mT
        self._turns = torch.tensor([[float(joint.kind == "revolute")] for joint in moving], dtype=torch.float64)
        self._width = len(names)

    def evaluate(self, joints: Tensor) -> tuple[Tensor, Tensor]:
        """Pose of the end effector, and its derivative by all joints. Shapes (N, 4, 4) and (N, 6, D)."""
        values = joints[:, self._columns, None, None]
        turned, slid = values * self._turns[:, :, None], (values * (1 - self._turns[:, :, None]))[..., 0]
        turn = (
            torch.eye(3, dtype=joints.dtype)
            + turned.sin() * self._crosses
            + (1 - turned.cos()) * (self._crosses @ self._crosses)
        )
        local = self._placements @ make_pose(slid * self._axes, turn)
        frames, pose = [], torch.eye(4, dtype=joints.dtype).expand(len(joints), 4, 4)
        for k in range(len(self._columns)):
            pose = pose @ local[:, k]
            frames.append(pose)
        pose = pose @ self._end
        frame = torch.stack(frames, 1)
        axes = (rotation(frame) @ self._axes[:, :, None])[..., 0]
        arms = position(pose)[:, None] - position(frame)
        linear = torch.where(self._turns > 0, torch.linalg.cross(axes, arms, dim=-1), axes)
        jacobian = torch.zeros(len(joints), 6, self._width, dtype=joints.dtype)
        jacobian[:, :, self._columns] = torch.cat((linear, axes * self._turns), 2).mT
        return pose, jacobian


def _error(pose: Tensor, target: Tensor) -> Tensor:
    """What moves and turns `pose` to `target`, in the base's axes. Shape (N, 6)."""
    turn = log_rotation(rotation(target) @ rotation(pose).mT)
    return torch.cat((position(target) - position(pose), turn), 1)
