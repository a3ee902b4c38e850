"""Source demos as augmentation needs them: poses, targets, gripper commands and subtask signals, all in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apprentice.demos import Demo, DemoFile
from apprentice.errors import UserError
from apprentice.poses import set_upright

INFO = "obs/datagen_info"


@dataclass(kw_only=True, frozen=True)
class SourceDemo:
    """One source demo. Poses are in the environment frame, float64."""

    name: str
    """Its name in the file."""
    length: int
    """Control steps, T."""
    eef: Mapping[str, Tensor]
    """Pose per end effector before each step. Shape (T, 4, 4)."""
    target: Mapping[str, Tensor]
    """Pose that each step asked for, per end effector. Shape (T, 4, 4)."""
    gripper: Mapping[str, Tensor]
    """Gripper command of each step, per end effector. Shape (T, G), float32."""
    objects: Mapping[str, Tensor]
    """Pose per object before each step. Shape (T, 4, 4)."""
    signals: Mapping[str, NDArray[np.bool_]]
    """Subtask signals before each step. Shape (T,)."""


def load_source(
    path: Path,
    *,
    eefs: Sequence[str],
    objects: Sequence[str],
    signals: Sequence[str],
    to_gripper: Callable[[Tensor], Mapping[str, Tensor]],
    cubes: Sequence[str] = (),
) -> list[SourceDemo]:
    """Read all successful demos of a file.

    Args:
        path: Demo file with subtask annotations.
        eefs: End effectors that the task's subtasks name.
        objects: Objects that the scene has.
        signals: Subtask signals that the task's subtasks name.
        to_gripper: Gripper part of actions, per end effector.
        cubes: Objects of which it does not matter on which side they lie.

    Raises:
        UserError: If the annotations are missing or no demo is a success.
    """
    demos = read_annotated(path, eefs=eefs, objects=objects, signals=signals)
    loaded = [
        SourceDemo(
            name=demo.name,
            length=demo.length,
            eef={eef: _poses(demo.data[f"{INFO}/eef_pose/{eef}"]) for eef in eefs},
            target={eef: _poses(demo.data[f"{INFO}/target_eef_pose/{eef}"]) for eef in eefs},
            gripper={eef: part.clone() for eef, part in to_gripper(torch.as_tensor(demo.actions)).items()},
            objects={name: _object_poses(demo.data[f"{INFO}/object_pose/{name}"], name in cubes) for name in objects},
            signals={
                name: demo.data[f"{INFO}/subtask_term_signals/{name}"].reshape(demo.length) > 0 for name in signals
            },
        )
        for demo in demos
        if demo.success
    ]
    if not loaded:
        raise UserError(f"{path}: expected at least one successful source demo, found none in {len(demos)}.")
    return loaded


def read_annotated(path: Path, *, eefs: Sequence[str], objects: Sequence[str], signals: Sequence[str]) -> list[Demo]:
    """Read the actions and annotations of all demos of a file.

    Args:
        path: Demo file.
        eefs: End effectors whose poses and targets are needed.
        objects: Objects whose poses are needed.
        signals: Subtask signals that are needed.

    Raises:
        UserError: If the file is damaged, holds no demos, or lacks annotations.
    """
    with DemoFile(path) as file:
        for name in file.names:
            _require(path, name, file.keys(name), eefs, objects, signals)
        demos = [file.read(name, [INFO]) for name in file.names]
    if not demos:
        raise UserError(f"{path}: expected source demos, found none.")
    return demos


def _require(
    path: Path, name: str, keys: list[str], eefs: Sequence[str], objects: Sequence[str], signals: Sequence[str]
) -> None:
    wanted = [f"{INFO}/{kind}/{eef}" for kind in ("eef_pose", "target_eef_pose") for eef in eefs]
    wanted += [f"{INFO}/object_pose/{key}" for key in objects]
    wanted += [f"{INFO}/subtask_term_signals/{key}" for key in signals]
    missing = [key for key in wanted if key not in keys]
    if missing:
        raise UserError(
            f"{path}, {name}: expected demos annotated with subtasks, found no {', '.join(missing)}; run "
            f"`apprentice annotate {path}` first."
        )


def _poses(values: NDArray[np.floating]) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def _object_poses(values: NDArray[np.floating], cube: bool) -> Tensor:
    poses = _poses(values)
    return set_upright(poses) if cube else poses
