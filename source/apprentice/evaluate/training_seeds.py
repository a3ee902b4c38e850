"""One number for a recipe that was trained several times: training seeds differ more than rollouts do.

After Agarwal et al. 2021 (arXiv:2108.13264): the interquartile mean over runs, which a lucky or broken one does not
move, with a bootstrap interval that resamples runs as well as their rollouts.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import trim_mean

from apprentice.evaluate.statistics import Interval


@dataclass(kw_only=True, frozen=True)
class Aggregate:
    """Several trainings of one recipe."""

    rates: tuple[float, ...]
    """Success rate of each training, as a fraction."""
    mean: float
    """Their mean."""
    interquartile_mean: float
    """The mean of their middle half."""
    interval: Interval
    """Bootstrap interval of the interquartile mean."""


def aggregate(
    runs: Sequence[Sequence[bool] | NDArray[np.bool_]],
    *,
    confidence: float = 0.95,
    resamples: int = 5000,
    seed: int = 0,
) -> Aggregate:
    """Aggregate the outcomes of several trainings.

    Args:
        runs: Success of each rollout, for each training. At least two trainings: one says nothing about the spread.
        confidence: Of the interval.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        ValueError: If there are fewer than two trainings, or one has no rollouts.
    """
    if len(runs) < 2 or any(len(run) == 0 for run in runs):
        raise ValueError(f"Expected at least two trainings with rollouts, got {[len(run) for run in runs]}.")
    rates = np.array([np.mean(run) for run in runs])
    sizes = np.array([len(run) for run in runs])
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(runs), size=(resamples, len(runs)))
    drawn = rng.binomial(sizes[chosen], rates[chosen]) / sizes[chosen]
    means = trim_mean(drawn, 0.25, axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Aggregate(
        rates=tuple(float(rate) for rate in rates),
        mean=float(rates.mean()),
        interquartile_mean=float(trim_mean(rates, 0.25)),
        interval=(float(low), float(high)),
    )
