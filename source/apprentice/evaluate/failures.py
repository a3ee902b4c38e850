"""What the failures of an evaluation have in common: `failures.json`, and states to begin from again.

`failed_states.hdf5` holds those in which failed rollouts began, `astray_states.hdf5` some that they came through later:
where a policy gets to by itself, and demos that began from a reset never were.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apprentice.demos import DemoFile, Tree
from apprentice.demos.durable import write_json
from apprentice.demos.start_states import stack_start_states, write_start_states
from apprentice.errors import UserError
from apprentice.evaluate import results
from apprentice.evaluate.divergence import diverge
from apprentice.evaluate.initial_states import describe, initial_poses
from apprentice.evaluate.results import Evaluation
from apprentice.evaluate.traces import STATES_EVERY, Trace, read_traces

FAILURES = "failures.json"
FAILED_STATES = "failed_states.hdf5"
ASTRAY_STATES = "astray_states.hdf5"
ASTRAY = 6
"""States kept of each failure, at most."""
_ASTRAY_UNTIL = 1.5
"""Of the steps of a success. What a policy that is lost does after that has little to do with the task."""
_MOVED_M, _MOVED_RAD = 0.01, 0.05
"""A state is another one if a body has moved or a joint has turned by so much since the one kept before."""


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
    traces = read_traces(directory, success=False)
    _write_states(directory / FAILED_STATES, evaluation, _failed_states(rows, traces))
    _write_states(directory / ASTRAY_STATES, evaluation, _astray_states(evaluation, rows, traces))
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
    write_json(directory / FAILURES, found)


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


def _failed_states(rows: Sequence[Mapping[str, Any]], traces: Sequence[Trace]) -> list[tuple[Tree, int, str]]:
    """The initial states of failed rollouts, with seed and kind."""
    failed = {row["index"]: row for row in rows if not row["success"]}
    return [
        (
            {name: value[0] for name, value in trace.initial_state.items()},
            failed[trace.rollout]["seed"],
            failed[trace.rollout].get("kind") or "initial",
        )
        for trace in traces
        if trace.rollout in failed and trace.initial_state
    ]


def _astray_states(
    evaluation: Evaluation, rows: Sequence[Mapping[str, Any]], traces: Sequence[Trace]
) -> list[tuple[Tree, int, str]]:
    """States on the way of failed rollouts, with seed and kind."""
    seeds = {row["index"]: row["seed"] for row in rows if not row["success"]}
    until = int(_ASTRAY_UNTIL * (evaluation.mean_steps_success or evaluation.horizon) / STATES_EVERY)
    return [
        ({name: value[place] for name, value in trace.states.items()}, seeds[trace.rollout], "astray")
        for trace in traces
        if trace.rollout in seeds
        for place in _different(trace.states, until)
    ]


def _write_states(path: Path, evaluation: Evaluation, states: Sequence[tuple[Tree, int, str]]) -> None:
    """Write start states; no file if there are none."""
    if states:
        write_start_states(path, stack_start_states(evaluation.task, evaluation.variant, states))
    else:
        path.unlink(missing_ok=True)


def _different(states: Tree, until: int) -> list[int]:
    """Places of a few states that differ, spread over all that do: a policy that is stuck is in one for long."""
    count = min((until, *(len(value) for value in states.values())) if states else (0,))
    places: list[int] = []
    for place in range(count):
        if not places or any(
            np.abs(value[place, ..., :3] - value[places[-1], ..., :3]).max() > _MOVED_M
            if name.endswith("root_pose")
            else np.abs(value[place] - value[places[-1]]).max() > _MOVED_RAD
            for name, value in states.items()
            if name.endswith(("root_pose", "joint_position"))
        ):
            places.append(place)
    spread = np.linspace(0, len(places) - 1, min(ASTRAY, len(places)))
    return [places[round(float(at))] for at in spread]
