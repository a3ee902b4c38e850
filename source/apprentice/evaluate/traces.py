"""The way of end effectors and objects through rollouts: of every failure, and of some successes to hold it against.

A trace also keeps the complete state at the beginning and every half second or so, so that a failed rollout can be
begun again, there or on its way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from apprentice import poses
from apprentice.demos import Tree
from apprentice.evaluate.contracts import Observations, States, TaskInfo
from apprentice.evaluate.trajectories import RolloutBuffer, save_arrays

SUCCESSES = 100
"""Rollouts, the first ones, of which successes too are kept."""
FOLDER = "traces"
STATES_EVERY = 10
"""Control steps from one complete state to the next."""

_INFO = "datagen_info"
_STATE = "initial_state/"
_STATES = "states/"


@dataclass(kw_only=True, frozen=True)
class Trace:
    """One rollout, as it was observed: under observation noise, with that noise."""

    rollout: int
    """Its number."""
    success: bool
    eefs: Mapping[str, NDArray[np.float32]]
    """Pose of each end effector over time, x y z (m) and quaternion xyzw. Shapes (T + 1, 7)."""
    objects: Mapping[str, NDArray[np.float32]]
    """Pose of each object over time. Shapes (T + 1, 7)."""
    reached: NDArray[np.bool_]
    """Which of the task's subtask signals had been true by then, in the task's order. Shape (T + 1, S)."""
    initial_state: Tree
    """The complete state of the scene at the beginning, as `Session.state` gives it. Shapes (1, ...)."""
    states: Tree
    """The same after every `STATES_EVERY` steps. Shapes (T // STATES_EVERY, ...)."""


class TraceRecorder:
    """Saves the traces of all failures, and of the successes among the first rollouts."""

    def __init__(self, directory: Path, *, num_envs: int, horizon: int, task_info: TaskInfo) -> None:
        """Save below `directory`, the folder of the evaluation."""
        self._directory = directory / FOLDER
        self._buffer = RolloutBuffer(num_envs=num_envs, horizon=horizon)
        self._initial: list[Tree] = [{} for _ in range(num_envs)]
        self._states = RolloutBuffer(num_envs=num_envs, horizon=horizon // STATES_EVERY)
        self._names = [(f"eef/{name}", f"{_INFO}/eef_pose/{name}") for name in task_info.eef_names]
        self._names += [(f"object/{name}", f"{_INFO}/object_pose/{name}") for name in task_info.objects]

    def begin(self, env_ids: Sequence[int], states: States) -> None:
        """Note the initial states of rollouts that begin in some environments."""
        for env_id in env_ids:
            self._initial[env_id] = {
                name: value[env_id : env_id + 1].cpu().numpy().copy() for name, value in states.items()
            }

    def add(self, env_ids: torch.Tensor, steps: torch.Tensor, obs: Observations, reached: torch.Tensor) -> None:
        """Take in what some environments show after so many steps of each; `reached` of all, shape (N, S)."""
        # all poses in one conversion: it costs the same for one as for many
        shown = [(name, obs[key]) for name, key in self._names if key in obs]
        values = {"reached": reached}
        if shown:
            matrices = torch.stack([pose for _, pose in shown])
            vectors = torch.cat((poses.position(matrices), poses.quat_from_rotation(poses.rotation(matrices))), dim=-1)
            values |= {name: vector for (name, _), vector in zip(shown, vectors, strict=True)}
        self._buffer.add(env_ids, steps, values)

    def add_states(self, env_ids: torch.Tensor, steps: torch.Tensor, states: States) -> None:
        """Take in complete states, of environments that have played a multiple of `STATES_EVERY` steps."""
        self._states.add(env_ids, steps // STATES_EVERY, states)

    def finish(self, env_id: int, *, rollout: int, steps: int, success: bool) -> None:
        """Save a rollout that has ended, if it is one of those that are kept."""
        if success and rollout >= SUCCESSES:
            return
        arrays: Tree = dict(self._buffer.rollout(env_id, steps))
        arrays["reached"] = arrays["reached"].astype(bool)
        arrays |= {_STATE + name: value for name, value in self._initial[env_id].items()}
        kept = self._states.rollout(env_id, steps // STATES_EVERY)
        arrays |= {_STATES + name: value[1:] for name, value in kept.items()}
        outcome = "success" if success else "failure"
        save_arrays(self._directory / f"{outcome}_{rollout:05d}.npz", arrays)


def read_traces(directory: Path, *, success: bool) -> list[Trace]:
    """Kept successes, or all failures, of an evaluation, by number. None of one that was made before traces were kept.

    Args:
        directory: Of the evaluation.
        success: Which of the two.
    """
    paths = sorted((directory / FOLDER).glob(f"{'success' if success else 'failure'}_*.npz"))
    return [_read(path, success) for path in paths]


def _read(path: Path, success: bool) -> Trace:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}

    def below(prefix: str) -> dict[str, NDArray[np.float32]]:
        return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}

    return Trace(
        rollout=int(re.sub(r"\D", "", path.stem)),
        success=success,
        eefs=below("eef/"),
        objects=below("object/"),
        reached=arrays["reached"],
        initial_state=dict(below(_STATE)),
        states=dict(below(_STATES)),
    )
