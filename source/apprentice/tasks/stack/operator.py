"""The scripted way through stacking tasks, ours and Isaac Lab's."""

from __future__ import annotations

import re

from apprentice.tasks.oracle import Oracle, pick_and_place
from apprentice.tasks.registry import TaskInfo

CUBE_SIZE_M = 0.0406
"""Edge of Isaac Lab's blocks."""


def oracle(info: TaskInfo) -> Oracle | None:
    """Grasp and stack in the order of the task's subtasks; None if this is no task of stacking cubes with one arm."""
    if len(info.eef_names) != 1 or not all(re.fullmatch(r"cube_\d", name) for name in info.objects):
        return None
    (eef,) = info.eef_names
    subtasks = info.subtasks[eef]
    grasps, places = subtasks[::2], subtasks[1::2]
    if (
        not subtasks
        or len(grasps) != len(places)
        or not all((signal or "").startswith("grasp") for _, signal in grasps)
    ):
        return None
    pairs = [(moved, onto) for (moved, _), (onto, _) in zip(grasps, places, strict=True)]
    stages = [pick_and_place(moved, onto, height_m=CUBE_SIZE_M) for moved, onto in pairs if moved and onto]
    return Oracle(eef=eef, stages=tuple(stages)) if len(stages) == len(pairs) else None
