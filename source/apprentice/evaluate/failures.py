"""What the failures of an evaluation have in common: `failures.json`, and `failed_states.hdf5` to begin from again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apprentice.demos import DemoFile
from apprentice.demos.start_states import StartStates, write_start_states
from apprentice.errors import UserError
from apprentice.evaluate import results
from apprentice.evaluate.divergence import diverge
from apprentice.evaluate.initial_states import describe, initial_poses
from apprentice.evaluate.results import Evaluation
from apprentice.evaluate.traces import Trace, read_traces

FAILURES = "failures.json"
FAILED_STATES = "failed_states.hdf5"


def analyse(
    directory: Path,
    evaluation: Evaluation,
    rows: Sequence[Mapping[str, Any]],
    symmetry: Mapping[str, int],
    demos: Path | None = None,
) -> dict[str, Any]:
    """Look at the rollouts of an evaluation, and write what was found.

    Args:
        directory: Of the evaluation, with its traces.
        evaluation: Its result.
        rows: Its rollouts, as in `rollouts.parquet`.
        symmetry: Order of rotational symmetry of objects about their vertical axis.
        demos: Demo file to hold the failures against; None leaves that out.

    Returns:
        What `failures.json` holds.

    Raises:
        UserError: If the failures cannot be held against the demos.
    """
    success = np.array([row["success"] for row in rows], dtype=bool)
    found = {
        "rollouts": len(rows),
        "failures": int((~success).sum()),
        "symmetry": dict(symmetry),
        "initial_states": describe(initial_poses(rows), success, symmetry),
        "divergence": None if demos is None else diverge(directory, demos, evaluation, rows, symmetry),
    }
    _write_failed_states(directory / FAILED_STATES, evaluation, rows, read_traces(directory, success=False))
    write(directory, found)
    return found


def explain(directory: Path, demos: Path | None = None) -> dict[str, Any]:
    """Look at a finished evaluation again, with demos to hold its failures against.

    Raises:
        UserError: If there is no finished evaluation, or its failures cannot be held against the demos.
    """
    evaluation, rows = results.read(directory), results.read_rollouts(directory)
    symmetry = (read(directory) or {}).get("symmetry")
    if symmetry is None and demos is not None:
        with DemoFile(demos) as file:
            symmetry = file.meta.get("symmetry")
    return analyse(directory, evaluation, rows, symmetry or {}, demos)


def write(directory: Path, found: Mapping[str, Any]) -> None:
    """Replace `failures.json`."""
    partial = directory / f"{FAILURES}.partial"
    partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, directory / FAILURES)


def read(directory: Path) -> dict[str, Any] | None:
    """What `failures.json` holds; None if there is none.

    Raises:
        UserError: If it cannot be read.
    """
    path = directory / FAILURES
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"Expected a JSON object in {path}, found something else ({error}); remove it.") from error


def _write_failed_states(
    path: Path, evaluation: Evaluation, rows: Sequence[Mapping[str, Any]], traces: Sequence[Trace]
) -> None:
    """The initial states of failed rollouts, for others to begin from; no file if none failed."""
    failed = {row["index"]: row for row in rows if not row["success"]}
    kept = [trace for trace in traces if trace.rollout in failed and trace.initial_state]
    if not kept:
        path.unlink(missing_ok=True)
        return
    starts = StartStates(
        task=evaluation.task,
        variant=evaluation.variant,
        states={name: np.concatenate([trace.initial_state[name] for trace in kept]) for name in kept[0].initial_state},
        seeds=np.array([failed[trace.rollout]["seed"] for trace in kept], dtype=np.int64),
        kinds=tuple(failed[trace.rollout].get("kind") or "initial" for trace in kept),
    )
    write_start_states(path, starts)
