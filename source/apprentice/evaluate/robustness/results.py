"""What a suite found, as a file: `suite.json`, drawn by `apprentice.report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apprentice.demos.durable import write_json
from apprentice.demos.start_states import join_start_states, read_start_states, write_start_states
from apprentice.evaluate.results import Evaluation, read, read_rollouts
from apprentice.evaluate.robustness.cfg import NOMINAL, Condition
from apprentice.evaluate.several import holm
from apprentice.evaluate.statistics import PairedComparison, compare_paired, success_interval

Suite = dict[str, Any]
"""The content of `suite.json`."""


def summarise(name: str, output: Path, conditions: Sequence[Condition], refused: Mapping[str, str]) -> Suite:
    """Compare every condition with the nominal one, rollout by rollout.

    Args:
        name: The suite's name.
        output: Its folder, in which each condition that was evaluated has one.
        conditions: All of them.
        refused: Why those that were not evaluated could not be, by name.

    Returns:
        What `suite.json` holds. A condition is called worse or better than the nominal one only where the exact McNemar
        test, corrected for the number of conditions (Holm), and the interval of the difference both carry it.
    """
    nominal, nominal_outcomes = read(output / NOMINAL.name), _outcomes(output / NOMINAL.name)
    rows: list[dict[str, Any]] = []
    compared: list[tuple[dict[str, Any], PairedComparison]] = []
    together: list[bool] = []
    for condition in conditions:
        row: dict[str, Any] = {"name": condition.name, "changes": condition.changes}
        rows.append(row)
        if condition.name in refused:
            row["not_evaluated"] = refused[condition.name]
            continue
        evaluation, outcomes = read(output / condition.name), _outcomes(output / condition.name)
        row |= _success(evaluation)
        if condition.mishap:
            together += outcomes.values()
        shared = sorted(outcomes.keys() & nominal_outcomes.keys())
        if condition.name != NOMINAL.name and shared:
            pair = [nominal_outcomes[start] for start in shared], [outcomes[start] for start in shared]
            compared.append((row, compare_paired(*pair)))
    for (row, paired), p_holm in zip(compared, holm([paired.p_value for _, paired in compared]), strict=True):
        called = paired.verdict != "undecided" and p_holm < 0.05
        verdict = {"first better": "worse", "second better": "better"}[paired.verdict] if called else "undecided"
        row["against_nominal"] = paired.as_dict() | {"p_holm": p_holm, "verdict": verdict}
    suite: Suite = {
        "suite": name,
        **{key: getattr(nominal, key) for key in ("task", "variant", "backend", "checkpoint_sha256", "seed")},
        **{key: getattr(nominal, key) for key in ("held_steps", "horizon", "asked", "training")},
        "conditions": rows,
    }
    if together:
        interval = list(success_interval(sum(together), len(together)))
        rate = sum(together) / len(together)
        suite["mishaps"] = {"rollouts": len(together), "successes": sum(together)}
        suite["mishaps"] |= {"success_rate": rate, "interval_95": interval}
    return suite


def write(suite: Suite, output: Path) -> Path:
    """Write `suite.json` into the suite's folder. Returns its path.

    Raises:
        UserError: If it cannot be written.
    """
    path = output / "suite.json"
    write_json(path, suite)
    return path


def join_mishaps(output: Path, conditions: Sequence[Condition]) -> Path | None:
    """Write `mishaps.hdf5` into a suite's folder: what its mishaps left behind, one of each kind in turn.

    So any number of states from its start is an even selection. States of other variants stay where they are.

    Returns:
        Its path, or None if no state was kept.
    """
    nominal = read(output / NOMINAL.name)
    files = [output / condition.name / "mishaps.hdf5" for condition in conditions]
    parts = [read_start_states(file) for file in files if file.exists()]
    parts = [part for part in parts if part.variant == nominal.variant]
    if not parts:
        return None
    turns = [(turn, number) for number, part in enumerate(parts) for turn in range(len(part))]
    places = sorted(range(len(turns)), key=turns.__getitem__)
    path = output / "mishaps.hdf5"
    write_start_states(path, join_start_states(parts).select(places))
    return path


def _success(evaluation: Evaluation) -> dict[str, Any]:
    keys = ("backend", "variant", "rollouts", "successes", "success_rate", "interval_95", "not_counted")
    keys += ("mean_steps_success", "per_subtask", "env_steps_per_s")
    found = asdict(evaluation)
    return {key: found[key] for key in keys}


def _outcomes(directory: Path) -> dict[tuple[int, int], bool]:
    """Success by number and seed."""
    return {(int(row["index"]), int(row["seed"])): bool(row["success"]) for row in read_rollouts(directory)}
