"""Where failed rollouts first left the way of the demos, in numbers and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.stats import mannwhitneyu

from apprentice.errors import UserError
from apprentice.evaluate.initial_states import FEWEST, initial_poses
from apprentice.evaluate.journal import DIVERGED, FINAL
from apprentice.evaluate.results import Evaluation
from apprentice.evaluate.traces import Trace, read_traces
from apprentice.evaluate.tube import USUAL, Exit, Tube
from apprentice.evaluate.ways import Floats, Way, layout, pose_matrices, way_of_trace, ways_of_demos

MOST_DEMOS = 500
"""Demos that are read, spread evenly over a larger file: more make the tube hardly finer."""
HELD_OUT = 10
"""Every this many-th demo is not held against, so that it may tell how far demos are from each other."""
FEWEST_SUCCESSES = 20
"""Successful rollouts that it takes to say what is usual for this policy; of fewer, held-out demos say it."""


def diverge(
    directory: Path,
    demos: Path,
    evaluation: Evaluation,
    rows: Sequence[Mapping[str, Any]],
    symmetry: Mapping[str, int],
) -> dict[str, Any]:
    """Hold the failures of an evaluation against demos.

    Args:
        directory: Of the evaluation, with its traces.
        demos: Demo file; those that the policy was trained on, say.
        evaluation: Its result.
        rows: Its rollouts, as in `rollouts.parquet`.
        symmetry: Order of rotational symmetry of objects about their vertical axis.

    Returns:
        The `divergence` of `failures.json`.

    Raises:
        UserError: If the evaluation has no traces, or the demos are not of this task or say too little.
    """
    places = {row["index"]: place for place, row in enumerate(rows)}
    failures = [trace for trace in read_traces(directory, success=False) if trace.rollout in places]
    if not failures:
        raise UserError(
            f"Expected traces of failed rollouts in {directory}, found none: without failures there is nothing to "
            "explain; an evaluation from before traces were kept must be made again."
        )
    signals = [row["subtask"] for row in evaluation.per_subtask if row["subtask"] not in (FINAL, DIVERGED)]
    ways = ways_of_demos(demos, signals, most=MOST_DEMOS)
    _require_same_scene(demos, ways[0], failures[0])
    # what is held out says how far demos are from each other; a file of a few is held against as a whole
    kept, held_out = [way for place, way in enumerate(ways) if place % HELD_OUT], ways[::HELD_OUT]
    successes = [way_of_trace(trace) for trace in read_traces(directory, success=True)]
    enough = len(successes) >= FEWEST_SUCCESSES
    tube = Tube(kept or ways, successes if enough else held_out, symmetry)
    at_start = {name: pose_matrices(pose) for name, pose in initial_poses(rows).items()}
    placed = [name for name in ways[0].objects if name in at_start]
    begun = {name: np.stack([way.objects[name][0] for way in ways]) for name in placed}
    found: Any = KDTree(layout(begun, symmetry)).query(layout({name: at_start[name] for name in placed}, symmetry))
    distances, nearest = found
    rollouts: list[dict[str, Any]] = []
    for trace in failures:
        place = places[trace.rollout]
        about = {"rollout": trace.rollout, "seed": rows[place]["seed"], "failed_subtask": rows[place]["failed_subtask"]}
        about |= {"steps": rows[place]["steps"], "initial_demo": ways[int(nearest[place])].name}
        about["initial_distance_m"] = float(distances[place])
        rollouts.append(about | _told(tube.exit(way_of_trace(trace)), signals))
    success = np.array([row["success"] for row in rows], dtype=bool)
    return {
        "demos": demos.name,
        "demos_read": len(ways),
        "usual_of": f"{len(successes)} successful rollouts" if enough else f"{len(held_out)} held-out demos",
        "width": tube.width,
        "rollouts": rollouts,
        "groups": _groups(rollouts),
        "initial_distance": _initial_distance(distances, success),
    }


def _told(exit: Exit | None, signals: Sequence[str]) -> dict[str, Any]:
    """What is said of how one rollout left the demos. JSON-able."""
    if exit is None:
        return {"step": None, "kind": "never", "subtask": None, "what": None, "sentence": _sentence(None, "")}
    done = [bool(exit.stage >> place & 1) for place in range(len(signals))]
    subtask = next((signal for signal, one in zip(signals, done, strict=True) if not one), FINAL)
    return {
        "step": exit.step,
        "kind": exit.kind,
        "subtask": subtask,
        "what": None if exit.channel is None else list(exit.channel),
        "value": exit.value,
        "usual": exit.usual,
        "demo": exit.demo,
        "demo_step": exit.demo_step,
        "sentence": _sentence(exit, subtask),
    }


def _sentence(exit: Exit | None, subtask: str) -> str:
    if exit is None:
        return "Stayed with the demos to the end, but success was not held."
    start = f"At step {exit.step}, in {subtask}"
    if exit.kind == "order":
        return f"{start}: subtasks had been done in an order that no demo has."
    if exit.kind == "late":
        return f"{start}: still with the demos, but after {exit.value:.0f} steps; {exit.usual:.0f} are usual at most."
    assert exit.channel is not None
    one, other = exit.channel
    return (
        f"{start}: {one} and {other} stood to each other as in no demo, {100 * exit.value:.1f} cm off the nearest "
        f"({exit.demo}, step {exit.demo_step}); {100 * exit.usual:.1f} cm are usual at most."
    )


def _groups(rollouts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many rollouts left in the same way, most first."""
    counts = Counter((one["subtask"], one["kind"], tuple(one["what"] or ())) for one in rollouts)
    groups: list[dict[str, Any]] = []
    for (subtask, kind, what), count in counts.most_common():
        steps = [
            one["step"]
            for one in rollouts
            if (one["subtask"], one["kind"], tuple(one["what"] or ())) == (subtask, kind, what)
        ]
        median = None if kind == "never" else float(np.median(steps))
        group = {"subtask": subtask, "kind": kind, "what": list(what), "rollouts": count, "median_step": median}
        groups.append(group | {"sentence": _plain(subtask, kind, what)})
    return groups


def _plain(subtask: str | None, kind: str, what: Sequence[str]) -> str:
    if kind == "never":
        return "never left them, but did not hold success"
    if kind == "late":
        return f"took longer in {subtask} than is usual, without leaving the demos"
    if kind == "order":
        return f"had done subtasks in an order that no demo has, in {subtask}"
    return f"in {subtask}: {' and '.join(what)} stood to each other as in no demo"


def _initial_distance(distances: Floats, success: NDArray[np.bool_]) -> dict[str, Any]:
    """Whether failures began farther from the demos than successes did. JSON-able."""
    failed, good = distances[~success], distances[success]
    if min(len(failed), len(good)) < FEWEST:
        return {"sentence": "Too few failures, or successes, to say whether failures began farther from the demos."}
    test: Any = mannwhitneyu(failed, good, alternative="two-sided")
    p_value = float(test.pvalue)
    medians = f"{100 * np.median(failed):.1f} against {100 * np.median(good):.1f} cm, rank test p = {p_value:.2g}"
    if p_value >= 1 - USUAL:
        sentence = f"Failures did not begin farther from the nearest demo than successes did (medians {medians})."
    else:
        word = "farther from" if np.median(failed) > np.median(good) else "nearer to"
        sentence = f"Failures began {word} the nearest demo than successes did (medians {medians})."
    return {
        "median_failures_m": float(np.median(failed)),
        "median_successes_m": float(np.median(good)),
        "p_value": p_value,
        "sentence": sentence,
    }


def _require_same_scene(demos: Path, demo: Way, trace: Trace) -> None:
    there, here = {*demo.eefs, *demo.objects}, {*trace.eefs, *trace.objects}
    if there != here:
        raise UserError(
            f"{demos}: expected demos with {', '.join(sorted(here))}, found {', '.join(sorted(there))}; give demos of "
            "the task that was evaluated."
        )
