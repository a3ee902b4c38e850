"""How far a measured success rate can be trusted, and when two of them differ."""

# scipy ships no types
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

Verdict = Literal["first better", "second better", "undecided"]
Interval = tuple[float, float]
"""Lower and upper end, as fractions (of rollouts)."""


def success_interval(successes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Wilson interval of a success rate.

    Raises:
        ValueError: If there are no trials, or more successes than trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"Expected 0 <= successes <= trials and trials >= 1, got {successes} of {trials}.")
    ends = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return float(ends.low), float(ends.high)


def points(difference: float, interval: Interval, verdict: Verdict) -> str:
    """A difference in percentage points: of the second minus the first, or of the better minus the worse one."""
    low, high = interval
    if verdict == "first better":
        difference, low, high = -difference, -high, -low
    return f"{100 * difference:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"


@dataclass(kw_only=True, frozen=True)
class PairedComparison:
    """Two policies played from the same initial states."""

    rollouts: int
    """Initial states played by both."""
    both: int
    """Rollouts in which both succeeded."""
    only_first: int
    """Rollouts in which the first succeeded and the second failed."""
    only_second: int
    """Rollouts in which the second succeeded and the first failed."""
    neither: int
    """Rollouts in which both failed."""
    difference: float
    """Success rate of the second minus that of the first, as a fraction."""
    interval: Interval
    """Interval of the difference for paired samples (Newcombe's method 10), at `confidence`."""
    p_value: float
    """Exact McNemar test: how probable a split of the differing rollouts at least this uneven is by chance."""
    confidence: float
    """Confidence of the interval, and of the verdict."""
    verdict: Verdict
    """Which policy is better; "undecided" unless both the test and the interval carry a difference."""

    def sentence(self, first: str = "the first policy", second: str = "the second policy") -> str:
        """What the numbers allow one to say, and no more."""
        span = f"{points(self.difference, self.interval, self.verdict)}, p = {self.p_value:.2g}"
        if self.verdict == "undecided":
            return (
                f"These {self.rollouts} paired rollouts do not show a difference between {first} and {second} "
                f"({span}); they cannot rule out any difference inside that interval."
            )
        better, worse = (second, first) if self.verdict == "second better" else (first, second)
        return f"{better} succeeds more often than {worse} on these {self.rollouts} initial states ({span})."

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self) | {"interval": list(self.interval)}


def compare_paired(
    first: Sequence[bool] | NDArray[np.bool_], second: Sequence[bool] | NDArray[np.bool_], *, confidence: float = 0.95
) -> PairedComparison:
    """Compare two policies by their outcomes from the same initial states.

    Args:
        first: Success of the first policy from each initial state. Shape (N,).
        second: Success of the second policy from the same states in the same order. Shape (N,).
        confidence: Of the interval and the verdict.

    Raises:
        ValueError: If there are no outcomes, or the two are not of equal length.
    """
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if a.ndim != 1 or a.shape != b.shape or a.size == 0:
        raise ValueError(f"Expected two equally long lists of outcomes, got shapes {a.shape} and {b.shape}.")
    only_first, only_second = int((a & ~b).sum()), int((~a & b).sum())
    both, neither = int((a & b).sum()), int((~a & ~b).sum())
    differing = only_first + only_second
    p_value = float(binomtest(only_first, differing, 0.5).pvalue) if differing else 1.0
    interval = _paired_interval(both, only_first, only_second, neither, confidence)
    difference = (only_second - only_first) / a.size
    carried = p_value < 1 - confidence and not interval[0] <= 0.0 <= interval[1]
    verdict: Verdict = "undecided"
    if carried:
        verdict = "second better" if difference > 0 else "first better"
    return PairedComparison(
        rollouts=a.size,
        both=both,
        only_first=only_first,
        only_second=only_second,
        neither=neither,
        difference=difference,
        interval=interval,
        p_value=p_value,
        confidence=confidence,
        verdict=verdict,
    )


def _paired_interval(both: int, only_first: int, only_second: int, neither: int, confidence: float) -> Interval:
    """Interval of second minus first.

    Newcombe (1998), method 10: joins the Wilson intervals of the two rates, allowing for their correlation. scipy and
    statsmodels have none for the difference of paired rates; coverage is checked by simulation in the tests.
    """
    trials = both + only_first + only_second + neither
    rate_first, rate_second = (both + only_first) / trials, (both + only_second) / trials
    low_first, high_first = success_interval(both + only_first, trials, confidence=confidence)
    low_second, high_second = success_interval(both + only_second, trials, confidence=confidence)
    phi = _correlation(both, only_first, only_second, neither)

    def reach(second: float, first: float) -> float:
        return float(np.sqrt(max(0.0, second**2 + first**2 - 2 * phi * second * first)))

    difference = rate_second - rate_first
    below = reach(rate_second - low_second, high_first - rate_first)
    above = reach(high_second - rate_second, rate_first - low_first)
    return max(-1.0, difference - below), min(1.0, difference + above)


def _correlation(both: int, only_first: int, only_second: int, neither: int) -> float:
    """Phi of the 2x2 table, with Newcombe's continuity correction; 0 where a policy always or never succeeds."""
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    product = both * neither - only_first * only_second
    if product > 0:
        product = max(product - (both + only_first + only_second + neither) / 2, 0.0)
    return float(product / np.sqrt(margins))
