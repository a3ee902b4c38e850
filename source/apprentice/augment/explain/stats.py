"""What a run of augmentation amounts to, as written beside the demo file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from apprentice.augment.attempt import Outcome
from apprentice.augment.journal import Line, last_of_runs
from apprentice.demos.durable import write_json

from .coverage import Coverage
from .tally import attempt_causes, subtask_rows


def stats_path(output: Path) -> Path:
    """Where the statistics of a demo file stand."""
    return output.with_name(output.name + ".stats.json")


def summarise(
    lines: Sequence[Line],
    *,
    about: dict[str, Any],
    retry: bool,
    workers: int = 1,
    coverage: Coverage | None = None,
) -> dict[str, Any]:
    """Statistics of the attempts of a run.

    "seconds", and "successes_per_hour" from them, are spent generating; "wall_seconds" includes the starts of the
    simulator.

    Args:
        lines: All attempts.
        about: Entries that say which run it is: task, variant, backend, seed, source_file.
        retry: Whether failed subtasks were tried again.
        workers: Processes that generated.
        coverage: Of these attempts.
    """
    outcomes = [line.outcome for line in lines]
    successes = [outcome for outcome in outcomes if outcome.success]
    seconds, wall_seconds = (sum(last_of_runs(lines, clock)) for clock in ("seconds", "wall_seconds"))
    env_steps = sum(outcome.env_steps for outcome in outcomes)
    return about | {
        "attempts": len(outcomes),
        "successes": len(successes),
        "successes_any_step": sum(outcome.success_any_step for outcome in outcomes),
        "dgr": len(successes) / len(outcomes) if outcomes else None,
        "dgr_interval_95": interval(len(successes), len(outcomes)),
        "env_steps": env_steps,
        "sim_steps_per_success": env_steps / len(successes) if successes else None,
        "seconds": seconds,
        "successes_per_hour": 3600 * len(successes) / seconds if seconds else None,
        "wall_seconds": wall_seconds,
        "workers": workers,
        "retry": retry,
        "subtasks": subtask_rows(outcomes),
        "initial_states": _initial_states(outcomes),
        "lengths": [outcome.length for outcome in successes],
        "coverage": None if coverage is None else coverage.summary(),
        "attempt_causes": attempt_causes(outcomes),
        "failure_causes": dict(Counter(outcome.cause for outcome in outcomes if outcome.cause is not None)),
    }


def interval(successes: int, attempts: int) -> list[float] | None:
    """Wilson interval at 95 %, as fractions; None without attempts."""
    if not attempts:
        return None
    ends = binomtest(successes, attempts).proportion_ci(0.95, method="wilson")
    return [float(ends.low), float(ends.high)]


def write_stats(output: Path, stats: dict[str, Any]) -> None:
    """Write the statistics in one step."""
    write_json(stats_path(output), stats)


def _initial_states(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    names = outcomes[0].initial_objects if outcomes else {}
    return {
        name: {
            "attempts": [outcome.initial_objects[name] for outcome in outcomes],
            "success": [outcome.success for outcome in outcomes],
        }
        for name in names
    }
