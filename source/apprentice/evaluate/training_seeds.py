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
from scipy.special import comb
from scipy.stats import permutation_test, trim_mean

from apprentice.evaluate.statistics import Interval, Verdict

Runs = Sequence[Sequence[bool] | NDArray[np.bool_]]
"""Success of each rollout, for each training."""


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
    runs: Runs,
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


@dataclass(kw_only=True, frozen=True)
class RecipeComparison:
    """Two recipes, trained several times each, their policies played from the same initial states."""

    trainings: tuple[int, int]
    """Trainings of the first and of the second."""
    difference: float
    """Interquartile mean of the second minus that of the first, as a fraction."""
    interval: Interval
    """Bootstrap interval of the difference, over trainings and initial states. Too narrow below five trainings."""
    p_value: float
    """Permutation test: how probable so large a difference of the mean rates is, had chance dealt out the trainings."""
    least_p_value: float
    """The smallest p value that so few trainings can give at all."""
    verdict: Verdict
    """Which recipe is better; "undecided" unless both the test and the interval carry a difference."""


def compare_recipes(
    first: Runs, second: Runs, *, confidence: float = 0.95, resamples: int = 5000, seed: int = 0
) -> RecipeComparison:
    """Compare two recipes by their trainings: what is random is the training, not only the rollout.

    Args:
        first: Outcomes of each training of the first recipe, from the same initial states in the same order. (K, N).
        second: Likewise of the second. Shape (L, N).
        confidence: Of the interval and the verdict.
        resamples: Of the bootstrap, and of the test where there are more ways to deal out the trainings.
        seed: Of both.

    Raises:
        ValueError: If a recipe has fewer than two trainings, or the outcomes are not equally many.
    """
    a, b = np.atleast_2d(np.asarray(first, dtype=np.float64)), np.atleast_2d(np.asarray(second, dtype=np.float64))
    if min(len(a), len(b)) < 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"Expected two trainings or more from the same initial states, got {a.shape} and {b.shape}.")
    rng = np.random.default_rng(seed)
    # all policies meet the same initial states, so these are drawn for all of them together
    counts = rng.multinomial(a.shape[1], np.full(a.shape[1], 1 / a.shape[1]), size=resamples).astype(np.float64)
    drawn = [_resampled(counts @ runs.T / runs.shape[1], rng) for runs in (a, b)]
    low, high = np.quantile(drawn[1] - drawn[0], [(1 - confidence) / 2, (1 + confidence) / 2])
    rates = [runs.mean(axis=1) for runs in (a, b)]
    test = permutation_test((rates[1], rates[0]), _difference_of_means, vectorized=True, n_resamples=resamples, rng=rng)
    difference = float(trim_mean(rates[1], 0.25) - trim_mean(rates[0], 0.25))
    verdict: Verdict = "undecided"
    if test.pvalue < 1 - confidence and not low <= 0 <= high:
        verdict = "second better" if difference > 0 else "first better"
    return RecipeComparison(
        trainings=(len(a), len(b)),
        difference=difference,
        interval=(float(low), float(high)),
        p_value=float(test.pvalue),
        least_p_value=min(1.0, 2 / float(comb(len(a) + len(b), len(a)))),
        verdict=verdict,
    )


def _resampled(rates: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Interquartile means of as many trainings, drawn anew in each row. Shape (R,) from (R, K)."""
    chosen = rng.integers(rates.shape[1], size=rates.shape)
    return trim_mean(np.take_along_axis(rates, chosen, axis=1), 0.25, axis=1)


def _difference_of_means(one: NDArray[np.float64], other: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return one.mean(axis=axis) - other.mean(axis=axis)
