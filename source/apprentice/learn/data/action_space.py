"""What the columns of an action mean, recognised from the demos, and actions as poses and back.

A policy that predicts where an end effector should be, instead of how far to move, may look many steps ahead: what it
predicted is turned into an action against the live pose when its time comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from apprentice.poses import (
    exp_rotation,
    log_rotation,
    make_pose,
    position,
    quat_from_rotation,
    rotation,
    rotation_angle,
    rotation_from_quat,
)

_POSITION_TOLERANCE_M = 1e-3
_ROTATION_TOLERANCE_RAD = 1e-2


@dataclass(kw_only=True, frozen=True)
class PoseColumns:
    """The columns of an action that command the pose of one end effector."""

    eef: str
    """Name of the end effector."""
    kind: str
    """`relative`: position difference and rotation vector to the target. `absolute`: its position and quaternion."""
    column: int
    """The first of them."""

    @property
    def width(self) -> int:
        return 6 if self.kind == "relative" else 7


@dataclass(kw_only=True, frozen=True)
class BinaryColumn:
    """A column with two values: a gripper that opens and closes."""

    column: int
    low: float
    high: float


@dataclass(kw_only=True, frozen=True)
class ActionSpace:
    """The meaning of every column of an action."""

    size: int
    poses: tuple[PoseColumns, ...] = ()
    binary: tuple[BinaryColumn, ...] = ()
    continuous: tuple[int, ...] = ()
    """Columns that are neither: predicted as they are."""

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> ActionSpace:
        """From what `to_dict` gave, through JSON."""
        return ActionSpace(
            size=values["size"],
            poses=tuple(PoseColumns(**entry) for entry in values["poses"]),
            binary=tuple(BinaryColumn(**entry) for entry in values["binary"]),
            continuous=tuple(values["continuous"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def target_poses(self, actions: Tensor, eef_poses: Mapping[str, Tensor]) -> Tensor:
        """Where actions send the end effectors.

        Args:
            actions: Shape (..., A).
            eef_poses: Present poses by end effector. Shape (..., 4, 4).

        Returns:
            Target poses in the frame of `eef_poses`. Shape (..., E, 4, 4), E in the order of `poses`.
        """
        if not self.poses:
            return actions.new_zeros(*actions.shape[:-1], 0, 4, 4)
        targets = []
        for part in self.poses:
            columns = actions[..., part.column : part.column + part.width]
            targets.append(_target(part.kind, columns, eef_poses[part.eef]))
        return torch.stack(targets, -3)

    def action(self, targets: Tensor, eef_poses: Mapping[str, Tensor], continuous: Tensor, binary: Tensor) -> Tensor:
        """The action that sends the end effectors to their targets. The inverse of `target_poses`.

        Args:
            targets: Target poses. Shape (N, E, 4, 4).
            eef_poses: Present poses by end effector. Shape (N, 4, 4).
            continuous: Values of the `continuous` columns. Shape (N, C).
            binary: Whether each of the `binary` columns takes its high value. Shape (N, B), bool.

        Returns:
            Shape (N, A).
        """
        action = torch.zeros(len(binary), self.size, device=binary.device)
        for number, part in enumerate(self.poses):
            target, eef = targets[:, number], eef_poses[part.eef]
            if part.kind == "relative":
                turn = log_rotation(rotation(target) @ rotation(eef).mT)
                columns = torch.cat([position(target) - position(eef), turn], -1)
            else:
                columns = torch.cat([position(target), quat_from_rotation(rotation(target))], -1)
            action[:, part.column : part.column + part.width] = columns
        if self.continuous:
            action[:, list(self.continuous)] = continuous
        for number, column in enumerate(self.binary):
            action[:, column.column] = torch.where(binary[:, number], column.high, column.low)
        return action


def recognise(
    actions: Tensor,
    eef_poses: Mapping[str, Tensor],
    target_poses: Mapping[str, Tensor],
    lengths: Sequence[int],
) -> ActionSpace:
    """Find out what the columns mean.

    Columns command a pose if the recorded target poses say so exactly; in a file without target poses, if the end
    effector follows them. A column with two values is a gripper. Everything else is left as it is.

    Args:
        actions: All actions. Shape (T, A).
        eef_poses: Poses by end effector, may be empty. Shape (T, 4, 4).
        target_poses: Recorded target poses by end effector, may be empty. Shape (T, 4, 4).
        lengths: Frames of each demo.
    """
    size = actions.shape[1]
    taken: set[int] = set()
    poses: list[PoseColumns] = []
    for eef, pose in eef_poses.items():
        for kind, column in [(k, c) for k in ("relative", "absolute") for c in range(size)]:
            part = PoseColumns(eef=eef, kind=kind, column=column)
            columns = range(column, column + part.width)
            if columns.stop > size or taken & set(columns):
                continue
            values = actions[:, column : columns.stop]
            target = target_poses.get(eef)
            if _commands(kind, values, pose, target) if target is not None else _follows(kind, values, pose, lengths):
                poses.append(part)
                taken |= set(columns)
                break
    binary: list[BinaryColumn] = []
    for column in sorted(set(range(size)) - taken):
        values = actions[:, column].unique()
        if len(values) == 2:
            binary.append(BinaryColumn(column=column, low=float(values[0]), high=float(values[1])))
            taken.add(column)
    rest = tuple(sorted(set(range(size)) - taken))
    return ActionSpace(size=size, poses=tuple(poses), binary=tuple(binary), continuous=rest)


def _target(kind: str, columns: Tensor, eef: Tensor) -> Tensor:
    if kind == "relative":
        return make_pose(position(eef) + columns[..., :3], exp_rotation(columns[..., 3:]) @ rotation(eef))
    return make_pose(columns[..., :3], rotation_from_quat(columns[..., 3:]))


def _commands(kind: str, columns: Tensor, eef: Tensor, target: Tensor) -> bool:
    """Whether these columns are the recorded target poses."""
    rows = torch.linspace(0, len(columns) - 1, min(len(columns), 2000)).long()
    columns, eef, target = columns[rows], eef[rows], target[rows]
    if kind == "absolute" and not _unit(columns[:, 3:]):
        return False
    meant = _target(kind, columns, eef)
    distance = (position(meant) - position(target)).norm(dim=-1)
    angle = rotation_angle(rotation(meant) @ rotation(target).mT)
    # most, not all: an action may have been clipped after its target was recorded
    return bool(distance.quantile(0.95) < _POSITION_TOLERANCE_M and angle.quantile(0.95) < _ROTATION_TOLERANCE_RAD)


def _follows(kind: str, columns: Tensor, eef: Tensor, lengths: Sequence[int]) -> bool:
    """Whether the end effector moves to where these columns would send it."""
    ends = torch.tensor(lengths).cumsum(0) - 1
    inside = torch.ones(len(columns), dtype=torch.bool)
    inside[ends] = False
    rows = inside.nonzero().squeeze(-1)
    if len(rows) < 20 or (kind == "absolute" and not _unit(columns[rows, 3:])):
        return False
    meant, now, then = _target(kind, columns[rows], eef[rows]), eef[rows], eef[rows + 1]
    wanted = torch.cat([position(meant) - position(now), log_rotation(rotation(meant) @ rotation(now).mT)], -1)
    done = torch.cat([position(then) - position(now), log_rotation(rotation(then) @ rotation(now).mT)], -1)
    wanted, done = wanted - wanted.mean(0), done - done.mean(0)
    correlation = (wanted * done).sum(0) / (wanted.norm(dim=0) * done.norm(dim=0)).clamp_min(1e-9)
    return bool(correlation[:3].mean() > 0.5 and correlation[3:].mean() > 0.3)


def _unit(quats: Tensor) -> bool:
    return bool(((quats.norm(dim=-1) - 1).abs() < 1e-3).all())
