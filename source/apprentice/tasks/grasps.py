"""How a task's end effectors grasp, in words that all grippers share: so that demos of one can be played by another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Frame = tuple[tuple[float, ...], ...]
"""A pose, row by row. Shape (4, 4)."""

IDENTITY: Frame = tuple(tuple(float(row == column) for column in range(4)) for row in range(4))


@dataclass(kw_only=True, frozen=True)
class Grasp:
    """How one end effector grasps, and how it is told to."""

    frame: Frame
    """Its grasp frame (see `apprentice.robots.hands`) in the frame whose pose the task reports."""
    column: int
    """Which entry of the action is the gripper's command."""
    open: float
    """Command that opens it."""
    closed: float
    """Command that closes it."""
    binary: bool
    """Whether every command means one or the other; otherwise those between leave it part open."""


def grasps(env_cfg: Any, width: Callable[[Any], int | None]) -> Mapping[str, Grasp]:
    """How the end effector of a task with one arm grasps; empty where that is not known.

    A task states its frame as `grasp_frames` and, for a gripper that can be part open, its commands (open, closed) as
    `gripper_commands`, both by end effector. Isaac Lab's Panda tasks report poses of the grasp frame.

    Args:
        env_cfg: A Mimic task's configuration.
        width: Entries of the action that an action term takes, if known.
    """
    eefs = list(getattr(env_cfg, "subtask_configs", {}))
    if len(eefs) != 1:
        return {}
    (eef,) = eefs
    stated: Mapping[str, Frame] = getattr(env_cfg, "grasp_frames", {})
    frame = stated.get(eef) or (IDENTITY if _is_panda(env_cfg) else None)
    commands: Mapping[str, tuple[float, float]] = getattr(env_cfg, "gripper_commands", {})
    column, grasp = 0, None
    for term in vars(env_cfg.actions).values():
        taken = 0 if term is None else width(term)
        if taken is None or frame is None:
            return {}
        if type(term).__name__.startswith("Binary"):
            grasp = Grasp(frame=frame, column=column, open=1.0, closed=-1.0, binary=True)
        elif eef in commands and taken == 1:
            grasp = Grasp(frame=frame, column=column, open=commands[eef][0], closed=commands[eef][1], binary=False)
        column += taken
    return {} if grasp is None else {eef: grasp}


def _is_panda(env_cfg: Any) -> bool:
    robot = getattr(env_cfg.scene, "robot", None)
    path = getattr(getattr(robot, "spawn", None), "usd_path", "")
    return isinstance(path, str) and "panda" in path.rpartition("/")[2]
