"""What an evaluation found, as files: `evaluation.json` and `rollouts.parquet`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from apprentice.demos.durable import write_atomically, write_json
from apprentice.demos.start_states import stack_start_states, write_start_states
from apprentice.errors import UserError
from apprentice.evaluate.journal import DIVERGED, FINAL, Identity, Rollout, require_same
from apprentice.evaluate.sequential import anytime_interval, clear_after
from apprentice.evaluate.statistics import success_interval

POSE_COLUMNS = ("x_m", "y_m", "z_m", "qx", "qy", "qz", "qw")
"""Columns of an object's initial pose in `rollouts.parquet`, each as `<object>_<column>`."""


@dataclass(kw_only=True, frozen=True)
class Evaluation:
    """A finished evaluation; the fields of `evaluation.json`."""

    task: str
    variant: str | None
    backend: str
    checkpoint_sha256: str
    rollouts: int
    """Played, and counted."""
    asked: int
    """How many were to be played at most; fewer were if the answer was clear before."""
    clear_of: float | None
    """Success rate at which to stop once it was clear on which side of it the policy is."""
    clear: str | None
    """"above" or "below" `clear_of`, if that became clear."""
    seed: int
    """Rollout i started from the initial state of seed + i, unless there were start states."""
    held_steps: int
    """Control steps in a row for which success had to hold."""
    horizon: int
    """Control steps after which a rollout had failed."""
    successes: int
    """Held successes."""
    success_rate: float
    interval_95: list[float]
    """As fractions: Wilson's; where looking decided when to stop, one that holds however often one looks."""
    successes_any_step: int
    """Rollouts in which the success term was true at some step, held or not."""
    per_subtask: list[dict[str, Any]]
    """In the task's order, `subtask`, `entered` (rollouts that had passed the ones before) and `failures` of these."""
    mean_steps: float
    """Control steps of a rollout."""
    mean_steps_success: float | None
    """Control steps of a successful rollout."""
    env_steps: int
    """Control steps of all rollouts together."""
    env_steps_per_s: float
    """Control steps of all environments per second of wall time, policy and simulator together."""
    wall_seconds: float
    """Time spent playing, without starting the simulator."""
    condition: dict[str, Any] | None = None
    """What was different from the task; None if nothing was."""
    not_counted: dict[str, int] = field(default_factory=dict[str, int])
    """Rollouts that were played, but do not count, by the reason."""
    states_sha256: str | None = None
    """Digest of the start states, if rollouts did not start from the initial states of seeds."""
    per_kind: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """For start states, by `kind` in the order of the file: `rollouts`, `successes`, `success_rate`, `interval_95`."""
    training: dict[str, Any] | None = None
    """Which training made the policy: `recipe` (the same for trainings that differ in their seed only), `seed`, `algo`,
    `steps`, `demos`. None if the checkpoint does not tell."""


def summarise(
    identity: Identity,
    rollouts: Sequence[Rollout],
    subtasks: Sequence[str],
    training: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Count what happened.

    Args:
        identity: Of the evaluation.
        rollouts: All of it, in any order. At least one counts.
        subtasks: Names that `Rollout.failed_subtask` may take, in the task's order, without "final" and "diverged".
        training: Which training made the policy.
    """
    everything = sorted(rollouts, key=lambda rollout: rollout.index)
    rollouts = counted(everything)
    stopped = None
    if identity.clear_of is not None:
        stopped = clear_after([rollout.success for rollout in rollouts], identity.clear_of)
        rollouts = rollouts[:stopped]
    successes = sum(rollout.success for rollout in rollouts)
    interval = success_interval if identity.clear_of is None else anytime_interval
    ends = interval(successes, len(rollouts))
    steps = np.array([rollout.steps for rollout in rollouts])
    held = [rollout.steps for rollout in rollouts if rollout.success]
    # each run of an interrupted evaluation counts up to the end of its last rollout
    seconds = {rollout.run: 0.0 for rollout in rollouts}
    for rollout in rollouts:
        seconds[rollout.run] = max(seconds[rollout.run], rollout.run_seconds)
    wall_seconds = sum(seconds.values())
    return Evaluation(
        **asdict(replace(identity, rollouts=len(rollouts))),
        asked=identity.rollouts,
        clear=None if stopped is None else "above" if ends[0] > (identity.clear_of or 0.0) else "below",
        successes=successes,
        success_rate=successes / len(rollouts),
        interval_95=list(ends),
        successes_any_step=sum(rollout.success_any_step for rollout in rollouts),
        per_subtask=_failures(rollouts, subtasks),
        mean_steps=float(steps.mean()),
        mean_steps_success=float(np.mean(held)) if held else None,
        env_steps=int(steps.sum()),
        env_steps_per_s=float(steps.sum() / wall_seconds) if wall_seconds > 0 else 0.0,
        wall_seconds=wall_seconds,
        not_counted=dict(Counter(rollout.not_counted for rollout in everything if rollout.not_counted)),
        per_kind=_kinds(rollouts),
        training=None if training is None else dict(training),
    )


def counted(rollouts: Sequence[Rollout]) -> list[Rollout]:
    """Those that say something about the policy, by number."""
    return sorted((one for one in rollouts if one.not_counted is None), key=lambda rollout: rollout.index)


def rows(evaluation: Evaluation, rollouts: Sequence[Rollout]) -> list[dict[str, Any]]:
    """Rows of `rollouts.parquet`: the rollouts that count, by number."""
    return [_row(rollout) for rollout in counted(rollouts)[: evaluation.rollouts]]


def write(directory: Path, evaluation: Evaluation, rollouts: Sequence[Rollout]) -> None:
    """Write `rollouts.parquet`, then `evaluation.json`, whose presence says that the evaluation is finished.

    States after mishaps go to `mishaps.hdf5`: start states for other evaluations, and for augmentation.
    """
    aftermaths = [
        (one.aftermath, one.seed, one.mishap or "")
        for one in counted(rollouts)[: evaluation.rollouts]
        if one.aftermath is not None
    ]
    if aftermaths:
        starts = stack_start_states(evaluation.task, evaluation.variant, aftermaths)
        write_start_states(directory / "mishaps.hdf5", starts)
    table = pa.Table.from_pylist(rows(evaluation, rollouts))
    write_atomically(directory / "rollouts.parquet", lambda scratch: pq.write_table(table, scratch))
    write_json(directory / "evaluation.json", asdict(evaluation))


def read(directory: Path) -> Evaluation:
    """The finished evaluation in a folder.

    Raises:
        UserError: If there is none.
    """
    path = directory / "evaluation.json"
    try:
        return Evaluation(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise UserError(
            f"Expected a finished evaluation in {directory}, but there is no evaluation.json; "
            "run `apprentice evaluate` with that --output first."
        ) from error
    except (ValueError, TypeError) as error:
        raise UserError(f"Expected the fields of an evaluation in {path}, found something else ({error}).") from error


def read_finished(directory: Path, identity: Identity) -> Evaluation | None:
    """The evaluation in `directory` if it is finished, None if it is not.

    Raises:
        UserError: If another evaluation than `identity` stands there.
    """
    if not (directory / "evaluation.json").exists():
        return None
    evaluation = read(directory)
    require_same(asdict(evaluation) | {"rollouts": evaluation.asked}, identity, directory)
    return evaluation


def read_rollouts(directory: Path) -> list[dict[str, Any]]:
    """Rows of `rollouts.parquet`, by rollout number.

    Raises:
        UserError: If there are none.
    """
    path = directory / "rollouts.parquet"
    try:
        return pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(
            f"Expected the rollouts of a finished evaluation in {path}, but they cannot be read ({error})."
        ) from error


def _failures(rollouts: Sequence[Rollout], subtasks: Sequence[str]) -> list[dict[str, Any]]:
    failures = Counter(rollout.failed_subtask for rollout in rollouts if not rollout.success)
    diverged = failures.pop(DIVERGED, 0)
    entered, table = len(rollouts) - diverged, list[dict[str, Any]]()
    for subtask in [*subtasks, FINAL]:
        table.append({"subtask": subtask, "entered": entered, "failures": failures[subtask]})
        entered -= failures[subtask]
    if diverged:
        table.append({"subtask": DIVERGED, "entered": len(rollouts), "failures": diverged})
    return table


def _kinds(rollouts: Sequence[Rollout]) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = []
    for kind in dict.fromkeys(rollout.kind for rollout in rollouts if rollout.kind is not None):
        outcomes = [rollout.success for rollout in rollouts if rollout.kind == kind]
        rate, ends = sum(outcomes) / len(outcomes), success_interval(sum(outcomes), len(outcomes))
        row = {"rollouts": len(outcomes), "successes": sum(outcomes), "success_rate": rate, "interval_95": list(ends)}
        table.append({"kind": kind} | row)
    return table


def _row(rollout: Rollout) -> dict[str, Any]:
    row = asdict(rollout)
    del row["aftermath"], row["not_counted"]
    poses: dict[str, list[float]] = row.pop("initial_poses")
    for name, pose in poses.items():
        row |= {f"{name}_{column}": value for column, value in zip(POSE_COLUMNS, pose, strict=True)}
    return row
