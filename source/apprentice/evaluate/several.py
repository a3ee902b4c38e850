"""Several differences looked at together: of many pairs of equal policies, one looks different sooner or later."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apprentice.evaluate.statistics import PairedComparison, Verdict, compare_paired, points

Outcomes = Sequence[bool] | NDArray[np.bool_]


def holm(p_values: Sequence[float]) -> list[float]:
    """P values after Holm's step-down correction: calling those below 5 % errs anywhere at most 5 times in 100.

    statsmodels has it too, but takes longer to import than a comparison takes; the tests hold the two together.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values)
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(values[order] * (len(values) - np.arange(len(values))))
    return np.minimum(corrected, 1.0).tolist()


@dataclass(kw_only=True, frozen=True)
class Pair:
    """Two of several policies, played from the same initial states."""

    first: str
    second: str
    paired: PairedComparison
    """As if these two were all there is."""
    p_holm: float
    """P value after Holm's correction for the number of pairs."""
    pairs: int
    """How many pairs were looked at."""
    verdict: Verdict
    """"undecided" unless the corrected test and the interval both carry a difference."""

    @property
    def sentence(self) -> str:
        """What the numbers allow one to say, and no more."""
        if self.verdict == self.paired.verdict:
            text = self.paired.sentence(self.first, self.second)
        else:
            span = points(self.paired.difference, self.paired.interval, "undecided")
            text = (
                f"{self.first} and {self.second} differ by {span}, p = {self.paired.p_value:.2g}. Looked at alone that "
                f"would be called a difference; among {self.pairs} pairs it is not."
            )
        if self.pairs == 1:
            return text
        return f"{text} Corrected for {self.pairs} pairs: p = {self.p_holm:.2g}."


def compare_all(outcomes: Mapping[str, Outcomes], *, confidence: float = 0.95) -> list[Pair]:
    """Compare each policy with each other.

    Args:
        outcomes: By policy, its success from each initial state, in the same order. Each of shape (N,).
        confidence: Of each interval by itself, and of all verdicts together.
    """
    names = list(itertools.combinations(outcomes, 2))
    found = [compare_paired(outcomes[one], outcomes[other], confidence=confidence) for one, other in names]
    corrected = holm([paired.p_value for paired in found])
    return [
        Pair(
            first=one,
            second=other,
            paired=paired,
            p_holm=p_holm,
            pairs=len(names),
            verdict=paired.verdict if p_holm < 1 - confidence else "undecided",
        )
        for (one, other), paired, p_holm in zip(names, found, corrected, strict=True)
    ]
