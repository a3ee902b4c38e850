"""Compares two finished evaluations that started from the same initial states."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from apprentice.errors import UserError
from apprentice.evaluate.results import Evaluation, read, read_rollouts
from apprentice.evaluate.statistics import PairedComparison, compare_paired


@dataclass(kw_only=True, frozen=True)
class Comparison:
    """Two evaluations and what may be said about their difference."""

    first: Evaluation
    second: Evaluation
    paired: PairedComparison
    """Second against first, rollout by rollout."""


def compare(first: Path, second: Path) -> Comparison:
    """Compare the evaluations in two folders.

    The policy or the backend may differ; the initial states and what counts as success may not.

    Raises:
        UserError: If a folder holds no finished evaluation, or the two are not of the same rollouts.
    """
    one, two = read(first), read(second)
    for key in ("task", "variant", "held_steps", "horizon", "states_sha256"):
        if getattr(one, key) != getattr(two, key):
            raise UserError(
                f"Expected two evaluations with the same {key}, found {getattr(one, key)} in {first} and "
                f"{getattr(two, key)} in {second}; evaluate one of them again."
            )
    outcomes_first, outcomes_second = _outcomes(first), _outcomes(second)
    if outcomes_first.keys() != outcomes_second.keys():
        raise UserError(
            f"Expected two evaluations of the same initial states, found {_seeds(one)} in {first} and {_seeds(two)} "
            f"in {second}; give both the same --seed and --rollouts."
        )
    starts = sorted(outcomes_first)
    paired = compare_paired([outcomes_first[start] for start in starts], [outcomes_second[start] for start in starts])
    return Comparison(first=one, second=two, paired=paired)


def _outcomes(directory: Path) -> dict[tuple[int, int], bool]:
    """Success by seed and number: several start states may be of one episode."""
    return {(int(row["seed"]), int(row["index"])): bool(row["success"]) for row in read_rollouts(directory)}


def _seeds(evaluation: Evaluation) -> str:
    return f"seeds {evaluation.seed} to {evaluation.seed + evaluation.rollouts - 1}"
