"""Source demos of one arm for another: what the one's hand did, the other's does, seen from the grasp frame.

Both arms state where between their fingers an object belongs, so the poses of one end effector become poses of the
other by one constant transform. Gripper commands go by what they mean, open or closed. Joints play no part; whether the
other arm can follow is for `reach` to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from apprentice.demos import DemoFile
from apprentice.errors import UserError
from apprentice.poses import interpolate, inverse
from apprentice.tasks.grasps import Grasp

from .demos import SourceDemo

if TYPE_CHECKING:
    from apprentice.tasks.registry import TaskInfo

MOST_RATE = 4.0
"""Largest ratio of two control rates; beyond it, one of them sees too little of what the other does."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """From the end effector of one task to that of another."""

    source_task: str
    """Task that the demos are of."""
    source_eef: str
    """Its end effector."""
    eef: str
    """The other task's."""
    source: Grasp
    """How the one grasps."""
    target: Grasp
    """How the other does."""
    source_hz: float
    """Control rate of the demos."""
    target_hz: float
    """Control rate of the other task."""

    @property
    def identity(self) -> dict[str, Any]:
        """What decides which source demos come of the file."""
        return asdict(self)

    def gripper(self, actions: Tensor) -> dict[str, Tensor]:
        """The other gripper's commands for the one's actions. Shape (T, 1)."""
        one, other = self.source, self.target
        openness = ((actions[:, one.column] - one.closed) / (one.open - one.closed)).clamp(0.0, 1.0)
        if one.binary or other.binary:
            openness = (openness >= 0.5).to(openness.dtype)
        return {self.eef: (other.closed + openness * (other.open - other.closed))[:, None]}

    def apply(self, demo: SourceDemo) -> SourceDemo:
        """The demo as the other arm would have given it.

        Args:
            demo: With poses of the one end effector, and gripper commands already from `gripper`.
        """
        frames = (torch.tensor(grasp.frame, dtype=torch.float64) for grasp in (self.source, self.target))
        one, other = frames
        moved = one @ inverse(other)
        return _resampled(
            SourceDemo(
                name=demo.name,
                length=demo.length,
                eef={self.eef: demo.eef[self.source_eef] @ moved},
                target={self.eef: demo.target[self.source_eef] @ moved},
                gripper=demo.gripper,
                objects=demo.objects,
                signals=demo.signals,
            ),
            self.target_hz / self.source_hz,
        )


def find_transfer(source: Path, info: TaskInfo) -> Transfer | None:
    """How the demos of a file get to a Mimic task whose end effector they do not show; None if they show it.

    Args:
        source: Annotated demos.
        info: The task that they are to be used for.

    Raises:
        UserError: If they show another one, and the way from it is not known or not sensible.
    """
    from apprentice.tasks.infer import demo_structure, infer_task
    from apprentice.tasks.registry import task_info

    with DemoFile(source) as file:
        if not file.names:
            raise UserError(f"{source}: expected source demos, found none.")
        structure = demo_structure(file.keys(file.names[0]), file.action_dim or 0)
        named, hz = file.task, file.attrs(file.names[0]).get("control_hz")
    if not info.mimic or not structure.eef_names or structure.eef_names == set(info.eef_names):
        return None
    try:
        origin = task_info(infer_task(structure, named).task)
    except UserError as error:
        raise UserError(
            f"{source}: expected demos of {info.id} or of a known task with another arm, found "
            f"{', '.join(sorted(structure.eef_names))} ({error})"
        ) from error
    _require_same_task(source, origin, info)
    for one in (origin, info):
        if not one.grasps:
            raise UserError(
                f"Expected to know how {one.id} grasps, to use demos of {origin.id} for {info.id}; found it unstated: "
                "give its configuration `grasp_frames`, and `gripper_commands` if its gripper can be part open."
            )
    ((source_eef, grasp),) = origin.grasps.items()
    ((eef, other),) = info.grasps.items()
    source_hz = float(hz or origin.control_hz)
    if not 1 / MOST_RATE <= info.control_hz / source_hz <= MOST_RATE:
        raise UserError(
            f"{source}: expected demos at about the control rate of {info.id}, {info.control_hz:g} Hz, found "
            f"{source_hz:g} Hz: more than {MOST_RATE:g} times apart."
        )
    return Transfer(
        source_task=origin.id,
        source_eef=source_eef,
        eef=eef,
        source=grasp,
        target=other,
        source_hz=source_hz,
        target_hz=info.control_hz,
    )


def _require_same_task(source: Path, origin: TaskInfo, info: TaskInfo) -> None:
    """Another arm may do the task, but it must be the same one: its objects, and its subtasks in their order."""
    differing: list[str] = []
    if set(origin.objects) != set(info.objects):
        differing.append(f"objects {_listed(origin.objects)} instead of {_listed(info.objects)}")
    one, other = (list(task.subtasks.values()) for task in (origin, info))
    if len(one) != 1 or len(other) != 1:
        differing.append(f"{len(one)} end effectors for {len(other)}")
    elif one != other:
        differing.append(f"subtasks {_described(one[0])} instead of {_described(other[0])}")
    if differing:
        raise UserError(
            f"{source}: expected demos of {info.id} or of the same task with another arm, found demos of {origin.id}: "
            f"{'; '.join(differing)}."
        )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "none"


def _described(parts: tuple[tuple[str | None, str | None], ...]) -> str:
    return ", ".join(f"{signal or 'final'} ({about or 'no object'})" for about, signal in parts)


def _resampled(demo: SourceDemo, ratio: float) -> SourceDemo:
    """The demo at another control rate: poses between the recorded ones, commands and signals as of the last one."""
    if abs(ratio - 1.0) < 1e-6:
        return demo
    length = int((demo.length - 1) * ratio) + 1
    at = torch.arange(length, dtype=torch.float64) / ratio
    before = at.floor().long()
    after = (before + 1).clamp(max=demo.length - 1)

    def between(poses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: interpolate(path[before], path[after], at - before) for name, path in poses.items()}

    return SourceDemo(
        name=demo.name,
        length=length,
        eef=between(demo.eef),
        target=between(demo.target),
        gripper={eef: commands[before] for eef, commands in demo.gripper.items()},
        objects=between(demo.objects),
        signals={name: np.asarray(values)[before.numpy()] for name, values in demo.signals.items()},
    )
