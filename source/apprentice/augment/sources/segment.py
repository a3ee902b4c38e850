"""Where in each source demo each subtask begins and ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apprentice.errors import UserError

from .demos import SourceDemo

Boundaries = NDArray[np.int64]
"""First step of each subtask and the step after its last one, per source demo. Shape (D, S, 2)."""


def nominal_boundaries(demos: Sequence[SourceDemo], subtasks: Sequence[Any], eef: str) -> tuple[list[int], Boundaries]:
    """Boundaries where the signals of the subtasks rise, without offsets.

    Args:
        demos: Source demos.
        subtasks: The end effector's `SubTaskConfig`s. S of them.
        eef: The end effector, for messages.

    Returns:
        Indices of the demos whose signals rise in order, and their boundaries. Shape (D, S, 2).

    Raises:
        UserError: If no demo can be cut into its subtasks.
    """
    usable, rows, reasons = [], [], []
    for index, demo in enumerate(demos):
        ends = []
        reason = None
        for subtask in subtasks[:-1]:
            signal = demo.signals[subtask.subtask_term_signal]
            rises = np.flatnonzero(signal[1:] & ~signal[:-1])
            if not len(rises):
                reason = f"'{subtask.subtask_term_signal}' never rises"
                break
            ends.append(int(rises[0]) + 2)  # the step at which it has risen is the subtask's last
        ends.append(demo.length)
        starts = [0, *ends[:-1]]
        if reason is None and any(end <= start for start, end in zip(starts, ends, strict=True)):
            reason = "its subtask signals do not rise in the task's order"
        if reason is None:
            usable.append(index)
            rows.append(list(zip(starts, ends, strict=True)))
        else:
            reasons.append(f"{demo.name}: {reason}")
    if not usable:
        raise UserError(
            f"Expected source demos in which the subtasks of {eef} end one after the other, found none ({reasons[0]}); "
            "check the demos and run `apprentice annotate` on them again."
        )
    return usable, np.array(rows, dtype=np.int64)


def draw_boundaries(
    nominal: Boundaries, lengths: NDArray[np.int64], subtasks: Sequence[Any], rng: np.random.Generator
) -> Boundaries:
    """Boundaries with random offsets, drawn from both ends of the task's ranges, kept in order and inside the demo.

    Args:
        nominal: From `nominal_boundaries`. Shape (D, S, 2).
        lengths: Control steps of each demo. Shape (D,).
        subtasks: The `SubTaskConfig`s.
        rng: Where the offsets are drawn.
    """
    drawn = nominal.copy()
    count = len(subtasks)
    low, high = subtasks[0].first_subtask_start_offset_range
    drawn[:, 0, 0] = np.minimum(drawn[:, 0, 0] + rng.integers(low, high + 1, len(drawn)), nominal[:, 0, 1] - 1)
    for index, subtask in enumerate(subtasks):
        low, high = subtask.subtask_term_offset_range
        ends = nominal[:, index, 1] + rng.integers(low, high + 1, len(drawn))
        # at least one step for this subtask and each of those after it
        drawn[:, index, 1] = np.clip(ends, drawn[:, index, 0] + 1, lengths - (count - 1 - index))
        if index + 1 < count:
            drawn[:, index + 1, 0] = drawn[:, index, 1]
    return drawn
