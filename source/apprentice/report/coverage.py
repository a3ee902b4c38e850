"""How well successes cover the initial states that were tried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import ks_2samp  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

CELLS = 6
"""Cells along each side of the grid over x and y."""


@dataclass(kw_only=True, frozen=True)
class Coverage:
    """Of one object's initial states."""

    cells: int
    """Cells of the grid over x and y in which something was tried."""
    covered: int
    """Those of them with at least one success."""
    distances: dict[str, float]
    """Kolmogorov-Smirnov distance between attempts and successes, by coordinate: 0 is the same distribution."""


def coverage(attempts: ArrayLike, success: ArrayLike) -> Coverage:
    """Compare where an object was in all attempts and in the successful ones.

    Args:
        attempts: x, y in metres and, optionally, yaw in radians. Shape (N, 2) or (N, 3).
        success: Shape (N,).
    """
    states = np.asarray(attempts, dtype=np.float64)
    good = np.asarray(success, dtype=bool)
    tried = _cells(states[:, :2], states[:, :2])
    distances: dict[str, float] = {}
    if good.any():
        for column, name in enumerate(("x", "y", "yaw")[: states.shape[1]]):
            result = ks_2samp(states[:, column], states[good, column], method="asymp")  # pyright: ignore[reportUnknownVariableType]
            distances[name] = float(result.statistic)  # pyright: ignore
    covered = _cells(states[good, :2], states[:, :2])
    return Coverage(cells=len(tried), covered=len(covered), distances=distances)


def _cells(points: NDArray[np.float64], extent: NDArray[np.float64]) -> set[tuple[int, int]]:
    low, high = extent.min(axis=0), extent.max(axis=0)
    size = np.maximum(high - low, 1e-9) / CELLS
    indices = np.minimum(((points - low) / size).astype(int), CELLS - 1)
    return {(int(a), int(b)) for a, b in indices}
