"""Keeps the states of a few rollouts, so that a later pass can draw them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from apprentice.evaluate.contracts import States

Trajectory = dict[str, NDArray[np.float32]]
"""State terms by name over time. Shapes (T + 1, ...): the initial state and the one after each step."""


class RolloutBuffer:
    """What was seen in the rollouts under way, each environment's from its beginning."""

    def __init__(self, *, num_envs: int, horizon: int) -> None:
        """Room for `horizon` steps of `num_envs` environments; what they hold is learnt from the first."""
        self._shape = (num_envs, horizon + 1)
        self._arrays: dict[str, NDArray[np.float32]] = {}

    def add(self, env_ids: torch.Tensor, steps: torch.Tensor, values: Mapping[str, torch.Tensor]) -> None:
        """Take in what some environments show.

        Args:
            env_ids: Environments. Shape (n,).
            steps: Control steps that each of them has played; 0 begins a rollout. Shape (n,).
            values: By name, of all environments. Shapes (N, ...).
        """
        rows, columns = env_ids.cpu().numpy(), steps.cpu().numpy()
        for name, value in values.items():
            if name not in self._arrays:
                self._arrays[name] = np.empty((*self._shape, *value.shape[1:]), np.float32)
            self._arrays[name][rows, columns] = value[env_ids].cpu().numpy()

    def rollout(self, env_id: int, steps: int) -> Trajectory:
        """What one environment showed, after `steps` steps. Empty if nothing was added."""
        return {name: value[env_id, : steps + 1] for name, value in self._arrays.items()}


class TrajectoryRecorder:
    """Buffers every rollout's states and saves those of the first few successes and failures.

    Which rollout fails is only known at its end, so all are buffered until enough of both kinds are saved.
    """

    def __init__(self, directory: Path, *, num_envs: int, horizon: int, keep: int) -> None:
        """Save up to `keep` successes and `keep` failures in `directory`, counting those already there."""
        self._directory = directory
        self._missing = {
            outcome: keep - len(list(directory.glob(f"{outcome}_*.npz"))) for outcome in ("success", "failure")
        }
        self._buffer = RolloutBuffer(num_envs=num_envs, horizon=horizon)

    @property
    def wanted(self) -> bool:
        """Whether there is still something to save."""
        return any(missing > 0 for missing in self._missing.values())

    def add(self, env_ids: torch.Tensor, steps: torch.Tensor, states: States) -> None:
        """Buffer the states of some environments, after so many steps of each."""
        self._buffer.add(env_ids, steps, states)

    def finish(self, env_id: int, *, rollout: int, steps: int, success: bool) -> None:
        """Save a rollout that has ended, if one of its kind is still missing."""
        outcome = "success" if success else "failure"
        arrays = self._buffer.rollout(env_id, steps)
        if self._missing[outcome] > 0 and arrays:
            save_arrays(self._directory / f"{outcome}_{rollout:05d}.npz", arrays)
            self._missing[outcome] -= 1


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write compressed arrays, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(partial, path)


def read_trajectory(path: Path) -> Trajectory:
    """States of a saved rollout."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def saved_trajectories(directory: Path) -> Sequence[Path]:
    """Saved rollouts of a folder: failures first, then by number."""
    return sorted(directory.glob("*.npz"))
