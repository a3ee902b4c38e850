"""How the end effectors of an open environment are told to open and close, where that is one number each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from .grasps import IDENTITY, Grasp

if TYPE_CHECKING:
    from .registry import TaskInfo


def grippers(env: Any, info: TaskInfo) -> dict[str, Grasp]:
    """By end effector, of those whose gripper is commanded by one number; the others are left out.

    Where a task does not state a grasp frame, that of the pose which it reports is taken.
    """
    found: dict[str, Grasp] = {}
    binary = _binary_columns(env)
    for eef in info.eef_names:
        if eef in info.grasps:
            found[eef] = info.grasps[eef]
            continue
        numbered = torch.arange(env.action_manager.total_action_dim, dtype=torch.float32, device=env.device)
        columns = env.actions_to_gripper_actions(numbered[None]).get(eef, numbered[:0]).flatten().long().tolist()
        if len(columns) == 1 and columns[0] in binary:
            found[eef] = Grasp(frame=IDENTITY, column=columns[0], open=1.0, closed=-1.0, binary=True)
    return found


def _binary_columns(env: Any) -> set[int]:
    """Columns of the action of Isaac Lab's binary terms, for which positive opens."""
    manager, column, found = env.action_manager, 0, set[int]()
    for name in manager.active_terms:
        term = manager.get_term(name)
        if any(kind.__name__.startswith("Binary") for kind in type(term).__mro__):
            found |= set(range(column, column + term.action_dim))
        column += term.action_dim
    return found
