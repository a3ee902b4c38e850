"""Keeps the states of a few rollouts, so that a later pass can draw them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from apprentice.evaluate.contracts import States

Trajectory = dict[str, NDArray[np.float32]]
"""State terms by name over time. Shapes (T + 1, ...): the initial state and the one after each step."""


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
        self._shape = (num_envs, horizon + 1)
        self._buffer: dict[str, NDArray[np.float32]] = {}

    @property
    def wanted(self) -> bool:
        """Whether there is still something to save."""
        return any(missing > 0 for missing in self._missing.values())

    def add(self, env_ids: torch.Tensor, steps: torch.Tensor, states: States) -> None:
        """Buffer the states of some environments.

        Args:
            env_ids: Environments. Shape (n,).
            steps: Control steps that each of them has played; 0 begins a rollout. Shape (n,).
            states: States of all environments.
        """
        rows, columns = env_ids.cpu().numpy(), steps.cpu().numpy()
        for name, value in states.items():
            if name not in self._buffer:
                self._buffer[name] = np.empty((*self._shape, *value.shape[1:]), np.float32)
            self._buffer[name][rows, columns] = value[env_ids].cpu().numpy()

    def finish(self, env_id: int, *, rollout: int, steps: int, success: bool) -> None:
        """Save a rollout that has ended, if one of its kind is still missing."""
        outcome = "success" if success else "failure"
        if self._missing[outcome] <= 0 or not self._buffer:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{outcome}_{rollout:05d}.npz"
        partial = path.with_suffix(".partial")
        arrays: dict[str, Any] = {name: value[env_id, : steps + 1] for name, value in self._buffer.items()}
        with partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
        os.replace(partial, path)
        self._missing[outcome] -= 1


def read_trajectory(path: Path) -> Trajectory:
    """States of a saved rollout."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def saved_trajectories(directory: Path) -> Sequence[Path]:
    """Saved rollouts of a folder: failures first, then by number."""
    return sorted(directory.glob("*.npz"))
