"""What may be said of a success rate by someone who looks after every rollout, and stops when the answer is clear.

An ordinary interval holds for a number of rollouts that was fixed before. Whoever looks again and again and stops at a
lucky moment is wrong far more often than it says. The intervals here hold at all times together: the probability that
the true rate is ever outside is at most 1 - confidence, whatever rule stops the rollouts.
"""

# scipy ships no types
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scipy.optimize import brentq
from scipy.special import betaln, xlog1py, xlogy

from apprentice.evaluate.statistics import Interval


def anytime_interval(successes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Interval of a success rate that holds at every number of trials at once.

    All rates p are kept for which the likelihood of the outcomes, averaged over a uniform prior of rates, is less than
    1 / (1 - confidence) times their likelihood under p. That ratio is a martingale under the true rate, which Ville's
    inequality bounds (Robbins 1970; Howard et al. 2021, arXiv:1810.08240).

    Raises:
        ValueError: If there are more successes than trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"Expected 0 <= successes <= trials, got {successes} of {trials}.")
    failures = trials - successes
    mixture = float(betaln(1 + successes, 1 + failures))
    bound = -math.log(1 - confidence)

    def excess(rate: float) -> float:
        return mixture - float(xlogy(successes, rate) + xlog1py(failures, -rate)) - bound

    def crossing(left: float, right: float) -> float:
        root: Any = brentq(excess, left, right)
        return float(root)

    best, least = successes / trials if trials else 0.5, 1e-12
    low = crossing(least, best) if successes and excess(least) > 0 else 0.0
    high = crossing(best, 1 - least) if failures and excess(1 - least) > 0 else 1.0
    return low, high


def clear_after(outcomes: Sequence[bool], rate: float, *, confidence: float = 0.95) -> int | None:
    """After how many rollouts it is clear whether the success rate is above or below `rate`; None if it is not yet.

    Args:
        outcomes: Success of each rollout, in the order of their numbers: in the order in which they end, successes,
            which are shorter, would come first.
        rate: The rate in question, 0 to 1.
        confidence: Probability of never being wrong.
    """
    successes = 0
    for trials, outcome in enumerate(outcomes, start=1):
        successes += outcome
        low, high = anytime_interval(successes, trials, confidence=confidence)
        if not low <= rate <= high:
            return trials
    return None
