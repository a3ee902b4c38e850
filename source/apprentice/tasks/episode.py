"""Turns steps of many environments into demos: what is written down at each step, and where it waits to be saved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apprentice.demos import Tree, versions

from .eef_maps import action_to_target
from .session import Session

INFO = "obs/datagen_info"
"""Where Mimic's annotations stand in a demo."""


def rows_before_step(session: Session, actions: Tensor) -> dict[str, Tensor]:
    """What a demo holds of the moment before an action is taken, annotations included.

    Args:
        session: The task.
        actions: What is about to be done. Shape (N, A).

    Returns:
        By path below the demo, shapes (N, ...).
    """
    rows = {"actions": actions}
    rows |= {f"obs/{key}": value for key, value in session.observe().items()}
    return rows | annotation_rows(session, actions)


def annotation_rows(session: Session, actions: Tensor) -> dict[str, Tensor]:
    """Mimic's annotations of this moment: poses, targets and subtask signals. Empty for other tasks."""
    if not session.task_info.mimic:
        return {}
    rows = {f"{INFO}/eef_pose/{name}": pose for name, pose in session.eef_poses().items()}
    rows |= {f"{INFO}/object_pose/{name}": pose for name, pose in session.object_poses().items()}
    rows |= {f"{INFO}/target_eef_pose/{name}": pose for name, pose in action_to_target(session.env, actions).items()}
    return rows | {f"{INFO}/subtask_term_signals/{name}": done for name, done in session.subtask_signals().items()}


def rows_after_step(session: Session) -> dict[str, Tensor]:
    """What a demo holds of the moment after an action: the scene's state, and the action as applied. (N, ...)."""
    manager = session.env.action_manager
    processed = torch.cat([manager.get_term(name).processed_actions for name in manager.active_terms], 1)
    return {"processed_actions": processed} | {f"states/{key}": value for key, value in session.state().items()}


def file_meta(session: Session) -> dict[str, Any]:
    """What is the same for all demos of a session: the `meta` of their file."""
    info = session.task_info
    return {
        "task": session.task,
        "variant": session.variant,
        "backend": session.backend,
        "control_hz": session.control_hz,
        "eef_names": list(info.eef_names),
        "objects": list(info.objects),
        "symmetry": dict(info.symmetry),
        "cubes": list(info.cubes),
        "subtasks": {
            eef: [
                {"object": name, "signal": signal, "description": description}
                for (name, signal), description in zip(parts, info.descriptions[eef], strict=True)
            ]
            for eef, parts in info.subtasks.items()
        },
        "versions": versions(),
    }


@dataclass(frozen=True)
class _Column:
    start: int
    stop: int
    shape: tuple[int, ...]
    dtype: torch.dtype


class EpisodeBuffer:
    """The steps of N episodes of different lengths, recorded side by side. Grows as they do."""

    def __init__(self, num_envs: int, steps: int = 320) -> None:
        """Room for `steps` steps each, to begin with; what they hold is learnt from the first."""
        self.lengths = torch.zeros(num_envs, dtype=torch.long)
        """Steps that each episode has. Shape (N,)."""
        self._steps = steps
        self._columns: dict[str, _Column] = {}
        self._rows = torch.zeros(0)
        self._initial: list[Tree] = [{} for _ in range(num_envs)]

    def begin(self, env_ids: Sequence[int], initial_state: Mapping[str, Tensor]) -> None:
        """Start episodes afresh.

        Args:
            env_ids: In which environments.
            initial_state: The state of all environments, by path as under `states/`. Shapes (N, ...).
        """
        for env_id in env_ids:
            self.lengths[env_id] = 0
            self._initial[env_id] = {
                f"initial_state/{key}": value[env_id : env_id + 1].numpy(force=True).copy()
                for key, value in initial_state.items()
            }

    def add(self, rows: Mapping[str, Tensor], active: Tensor) -> None:
        """Add one step to the episodes of active environments.

        Args:
            rows: By path, the same ones each time. Shapes (N, ...).
            active: Which environments. Shape (N,), bool.
        """
        if not self._columns:
            self._lay_out(rows)
        if int(self.lengths.max()) == self._steps:
            self._steps *= 2
            self._rows = torch.cat((self._rows, torch.zeros_like(self._rows)), 1)
        row = torch.cat([rows[key].to("cpu", torch.float32).reshape(len(active), -1) for key in self._columns], 1)
        ids = active.nonzero().flatten()
        self._rows[ids, self.lengths[ids]] = row[ids]
        self.lengths[ids] += 1

    def cut(self, env_id: int, length: int) -> None:
        """Forget all but the first `length` steps of an episode."""
        self.lengths[env_id] = min(length, int(self.lengths[env_id]))

    def read(self, env_id: int) -> Tree:
        """An episode's arrays by path, "actions" and the initial state among them."""
        length = int(self.lengths[env_id])
        tree = {
            key: self._rows[env_id, :length, column.start : column.stop]
            .reshape(length, *column.shape)
            .to(column.dtype)
            .numpy()
            .copy()
            for key, column in self._columns.items()
        }
        return tree | {key: np.array(value) for key, value in self._initial[env_id].items()}

    def _lay_out(self, rows: Mapping[str, Tensor]) -> None:
        start = 0
        for key, value in rows.items():
            width = math.prod(value.shape[1:])
            dtype = torch.float32 if value.dtype.is_floating_point else value.dtype
            self._columns[key] = _Column(start, start + width, tuple(value.shape[1:]), dtype)
            start += width
        self._rows = torch.zeros(len(self.lengths), self._steps, start)
