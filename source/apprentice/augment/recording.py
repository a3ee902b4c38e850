"""Records all environments into one preallocated buffer, so that going back in time is going back to a row number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from apprentice.demos import Tree


@dataclass(frozen=True)
class _Column:
    start: int
    stop: int
    shape: tuple[int, ...]
    dtype: torch.dtype


class Recorder:
    """Rows of named arrays for N environments."""

    def __init__(self, num_envs: int, max_steps: int) -> None:
        """Room for `max_steps` rows in each of `num_envs` environments; columns are made when the first rows come."""
        self._num_envs = num_envs
        self._max_steps = max_steps
        self._columns: dict[str, _Column] = {}
        self._rows = torch.zeros(0)
        self._all = torch.arange(num_envs)

    def write(self, steps: Tensor, active: Tensor, values: Mapping[str, Tensor]) -> None:
        """Write one row per active environment.

        Args:
            steps: Row number in each environment. Shape (N,).
            active: Which environments. Shape (N,), bool.
            values: Arrays by path; the same paths each time. Shapes (N, ...).
        """
        if not self._columns:
            self._lay_out(values)
        row = torch.cat([values[key].reshape(self._num_envs, -1).to(torch.float32) for key in self._columns], 1)
        if bool(active.all()):
            self._rows[self._all, steps] = row
        else:
            self._rows[self._all[active], steps[active]] = row[active]

    def read(self, env_id: int, steps: int) -> Tree:
        """The first `steps` rows of an environment, by path. Shapes (steps, ...)."""
        return {
            key: self._rows[env_id, :steps, column.start : column.stop]
            .reshape(steps, *column.shape)
            .to(column.dtype)
            .numpy(force=True)
            .copy()
            for key, column in self._columns.items()
        }

    def _lay_out(self, values: Mapping[str, Tensor]) -> None:
        start = 0
        for key, value in values.items():
            width = math.prod(value.shape[1:])
            dtype = value.dtype if not value.dtype.is_floating_point else torch.float32
            self._columns[key] = _Column(start, start + width, tuple(value.shape[1:]), dtype)
            start += width
        self._rows = torch.zeros(self._num_envs, self._max_steps, start)


def rows_of(values: Mapping[str, Tensor], env_id: int) -> Tree:
    """One environment's row of each array, as arrays of a single row. Shapes (1, ...)."""
    return {key: np.array(value[env_id : env_id + 1].numpy(force=True)) for key, value in values.items()}
