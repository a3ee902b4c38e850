"""Which parts of the reset distribution succeed: cells of initial states, and what came of the attempts in them.

Two kinds of view. One per object: where it starts, 6 by 6 over x and y times 3 over yaw (modulo its symmetry). One per
pair of objects: 3 by 3 over the position of each, because what is easy for each alone may be hard together. All objects
together would have more cells than a run has attempts, and say no more than the data generation rate.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRID = 6
"""Cells along x and along y for one object; half as many for a pair."""
YAW_BINS = 3
"""Cells over yaw."""
_STILL = {"x": 1e-3, "y": 1e-3, "yaw": 0.02}
"""What does not vary by more (m, rad) has one cell."""

_OWED_TOLD = 20

State = Mapping[str, Sequence[float]]
"""x, y (m) and yaw (rad) of each object, environment frame: `Outcome.initial_objects`."""
Ranges = Mapping[str, Mapping[str, tuple[float, float]]]
"""Lowest and highest "x", "y" (m, environment frame) and "yaw" (rad) that resets draw, per object, as far as stated."""
Cell = tuple[int, int]
"""Number of a view, and of a cell in it."""


@dataclass(frozen=True)
class Owed:
    """A cell that was attempted and never succeeded."""

    objects: tuple[str, ...]
    """The object or the pair."""
    attempts: int
    bounds: Mapping[str, tuple[float, float]]
    """Its ends, by object and axis ("cube_1 x"). Metres, radians."""


class Coverage:
    """Counts attempts and successes per cell, one attempt after the other, each in a fraction of a millisecond."""

    def __init__(self, symmetry: Mapping[str, int], ranges: Ranges | None = None) -> None:
        """Begin with no attempts.

        Args:
            symmetry: Order of each object's symmetry about its z axis; 1 where absent.
            ranges: What resets draw from, where the task states it. Elsewhere cells divide what attempts visited.
        """
        self._symmetry, self._ranges = symmetry, ranges or {}
        self._axes: dict[str, tuple[_Axis, _Axis, _Axis]] = {}
        self._views: list[_View] = []
        self._states: list[list[Sequence[float]]] = []
        self._success: list[bool] = []

    def frozen(self) -> Coverage:
        """A small copy that answers for the cells as they are now. Nothing can be added to it."""
        copied = Coverage(self._symmetry, self._ranges)
        copied._axes, copied._views = copy.deepcopy((self._axes, self._views))
        return copied

    def add(self, state: State, success: bool) -> None:
        """Count an attempt."""
        if not self._axes:
            self._begin(state)
        row = [state[name] for name in self._axes]
        self._states.append(row)
        self._success.append(success)
        # all axes grow, so no short circuit
        grown = [
            axis.grow(value) for axes, at in zip(self._axes.values(), row, strict=True) for axis, value in zip(axes, at)
        ]
        if any(grown):
            self._recount()
        else:
            for view in self._views:
                view.count(np.array([view.place(state)]), np.array([success]))

    @property
    def attempts(self) -> int:
        return len(self._states)

    @property
    def visited(self) -> int:
        """Cells in which something was attempted, all views together."""
        return sum(view.visited for view in self._views)

    @property
    def filled(self) -> int:
        """Cells with a success."""
        return sum(view.filled for view in self._views)

    @property
    def share(self) -> float | None:
        """Share of the visited cells that hold a success; None before the first attempt."""
        return self.filled / self.visited if self._views and self.visited else None

    @property
    def unseen(self) -> float:
        """Estimated chance that the next attempt falls into a cell that none has visited.

        Good-Turing: cells visited once over attempts (I. J. Good, "The population frequencies of species and the
        estimation of population parameters", Biometrika 1953); of all views the largest.
        """
        return max((view.visited_once for view in self._views), default=1) / max(1, self.attempts)

    def reached(self, share: float) -> bool:
        """Whether successes fill this share of the visited cells, and attempts visited this share of what resets draw.

        The second is an estimate (`unseen`), so that it works where no ranges are stated or some cells cannot be drawn.
        """
        return self.share is not None and self.share >= share and self.unseen <= 1 - share

    def cells(self, state: State) -> tuple[Cell, ...]:
        """The cells that a state lies in, one per view. Without stated ranges they change as attempts spread."""
        return tuple((index, view.place(state)) for index, view in enumerate(self._views))

    def owes(self, state: State) -> bool:
        """Whether a state lies in a cell that was attempted and never succeeded."""
        return any(self._views[view].owed[cell] for view, cell in self.cells(state))

    def owed(self) -> list[Owed]:
        """Cells that were attempted and never succeeded, those with most attempts first."""
        found = [
            Owed(view.names, int(view.attempts[cell]), view.bounds(int(cell)))
            for view in self._views
            for cell in np.flatnonzero(view.owed)
        ]
        return sorted(found, key=lambda one: -one.attempts)

    def rate(self, cell: Cell) -> float | None:
        """Successes per attempt in a cell; None if nothing was attempted there."""
        view, at = self._views[cell[0]], cell[1]
        return float(view.successes[at] / view.attempts[at]) if view.attempts[at] else None

    def summary(self) -> dict[str, Any]:
        """All of it, for `FILE.stats.json`: totals, the worst owed cells; per view edges, attempts and successes."""
        return {
            "share": self.share,
            "visited": self.visited,
            "filled": self.filled,
            "unseen": self.unseen,
            "owed": [asdict(one) for one in self.owed()[:_OWED_TOLD]],
            "objects": {view.names[0]: view.summary() for view in self._views if len(view.names) == 1},
            "pairs": {", ".join(view.names): view.summary() for view in self._views if len(view.names) == 2},
        }

    def _begin(self, state: State) -> None:
        for name, values in sorted(state.items()):
            stated = self._ranges.get(name, {})
            period = 2 * math.pi / max(1, self._symmetry.get(name, 1))
            self._axes[name] = (
                _Axis("x", GRID, values[0], stated.get("x")),
                _Axis("y", GRID, values[1], stated.get("y")),
                _Axis("yaw", YAW_BINS, values[2], stated.get("yaw"), period),
            )
        singles = [_View({name: axes}, 1) for name, axes in self._axes.items()]
        pairs = itertools.combinations(self._axes, 2)
        self._views = singles + [_View({name: self._axes[name][:2] for name in pair}, 2) for pair in pairs]

    def _recount(self) -> None:
        """Count everything again after the cells have moved."""
        states, success = np.array(self._states, dtype=np.float64), np.array(self._success)
        columns = {name: states[:, index] for index, name in enumerate(self._axes)}
        for view in self._views:
            view.clear()
            view.count(view.places(columns), success)


class _Axis:
    """One coordinate of one object, divided."""

    def __init__(
        self, name: str, bins: int, first: float, stated: tuple[float, float] | None, period: float | None = None
    ) -> None:
        self.name, self._bins, self._period, self._stated = name, bins, period, stated is not None
        low, high = stated or (first, first)
        if period is not None and high - low >= period:
            low, high = -period / 2, period / 2
        self.low, self.high = low, high
        self._middle = (low + high) / 2

    @property
    def bins(self) -> int:
        return self._bins if self.high - self.low > _STILL[self.name] else 1

    def near(self, values: Any) -> Any:
        """Angles as near to the middle as their period allows."""
        if self._period is None:
            return values
        return (values - self._middle + self._period / 2) % self._period - self._period / 2 + self._middle

    def grow(self, value: float) -> bool:
        """Take in a value, unless the range is stated. Whether the range is another one now."""
        value = self.near(value)
        if self._stated or self.low <= value <= self.high:
            return False
        self.low, self.high = min(self.low, value), max(self.high, value)
        return True

    def places(self, values: Any, coarse: int) -> Any:
        """Numbers of the cells of values; of those outside, the nearest."""
        bins = max(1, self.bins // coarse)
        share = (self.near(values) - self.low) / max(self.high - self.low, 1e-12)
        return np.clip(np.floor(share * bins), 0, bins - 1).astype(np.int64)

    def edges(self, coarse: int) -> NDArray[np.float64]:
        return np.linspace(self.low, self.high, max(1, self.bins // coarse) + 1)


class _View:
    """The cells of one object or of a pair."""

    def __init__(self, axes: Mapping[str, Sequence[_Axis]], coarse: int) -> None:
        self.names, self._axes, self._coarse = tuple(axes), axes, coarse
        self.clear()

    def clear(self) -> None:
        self._shape = tuple(max(1, axis.bins // self._coarse) for axes in self._axes.values() for axis in axes)
        self.attempts = np.zeros(math.prod(self._shape), dtype=np.int64)
        self.successes = np.zeros_like(self.attempts)

    def places(self, columns: Mapping[str, NDArray[np.float64]]) -> NDArray[np.int64]:
        """Cells of states. Shape (K,) from (K, 3) per object."""
        found = [
            axis.places(columns[name][..., index], self._coarse)
            for name, axes in self._axes.items()
            for index, axis in enumerate(axes)
        ]
        return np.asarray(np.ravel_multi_index(tuple(found), self._shape), dtype=np.int64)

    def place(self, state: State) -> int:
        return int(self.places({name: np.asarray(state[name], dtype=np.float64) for name in self._axes}))

    def count(self, places: NDArray[np.int64], success: NDArray[np.bool_]) -> None:
        np.add.at(self.attempts, places, 1)
        np.add.at(self.successes, places, success.astype(np.int64))

    @property
    def owed(self) -> NDArray[np.bool_]:
        return (self.attempts > 0) & (self.successes == 0)

    @property
    def visited(self) -> int:
        return int((self.attempts > 0).sum())

    @property
    def visited_once(self) -> int:
        return int((self.attempts == 1).sum())

    @property
    def filled(self) -> int:
        return int((self.successes > 0).sum())

    def bounds(self, cell: int) -> dict[str, tuple[float, float]]:
        named = [(f"{name} {axis.name}", axis) for name, axes in self._axes.items() for axis in axes]
        at = np.unravel_index(cell, self._shape)
        found: dict[str, tuple[float, float]] = {}
        for (name, axis), place in zip(named, at, strict=True):
            edges = axis.edges(self._coarse)
            found[name] = (float(edges[place]), float(edges[place + 1]))
        return found

    def summary(self) -> dict[str, Any]:
        edges = {
            name: {axis.name: axis.edges(self._coarse).tolist() for axis in axes} for name, axes in self._axes.items()
        }
        return {
            "cells": int(self.attempts.size),
            "visited": self.visited,
            "filled": self.filled,
            "edges": edges,
            "attempts": self.attempts.reshape(self._shape).tolist(),
            "successes": self.successes.reshape(self._shape).tolist(),
        }
