"""How often the policy succeeded, and where it failed."""

from __future__ import annotations

import math

from apprentice.report import svg
from apprentice.report.fields import Json, interval_in, number_in, objects_in, text_in
from apprentice.report.page import Section, command, figure, grid, missing
from apprentice.report.results import RunResults
from apprentice.report.states import initial_states
from apprentice.report.videos import videos
from apprentice.report.words import count, interval, percent, plural

FEWEST_STEPS = 5
"""Successes from which on their lengths are drawn."""


def evaluation(run: RunResults) -> Section:
    """Success with its interval, failures by subtask, maps over the initial states, videos."""
    found = run.evaluation
    said = command(text_in(run.stage("evaluate"), "command"))
    if not found and not run.rollouts:
        gone = missing("No evaluation.json in this run: the policy was not evaluated, or the evaluation is unfinished.")
        return Section("evaluation", "Evaluation", "", said + gone)
    numbers, maps = initial_states(_objects(run.rollouts), "Where it succeeds")
    plots = [*_outcome(found), *_steps(run.rollouts)]
    body = said + grid(plots) + maps + grid(numbers, "grid single") + videos(run)
    return Section("evaluation", "Evaluation", _lead(found), body)


def _lead(found: Json) -> str:
    words: list[str] = []
    successes, rollouts, rate = (number_in(found, key) for key in ("successes", "rollouts", "success_rate"))
    ends = interval_in(found, "interval_95")
    if successes is not None and rollouts is not None and rate is not None and ends:
        words.append(
            f"The policy succeeded in <b>{count(successes)} of {plural(rollouts, 'rollout')}</b>: "
            f"<b>{percent(rate)}</b>, 95 % Wilson interval {interval(ends)}."
        )
    held, horizon = number_in(found, "held_steps"), number_in(found, "horizon")
    if held and horizon:
        words.append(
            f"A rollout succeeds when the success term holds for {plural(held, 'control step')} in a row within "
            f"{count(horizon)}."
        )
    any_step = number_in(found, "successes_any_step")
    if any_step is not None and any_step != successes:
        words.append(f"In {plural(any_step, 'rollout')} the term was true at some step.")
    if speed := number_in(found, "env_steps_per_s"):
        words.append(f"{count(speed)} environment steps a second.")
    return " ".join(words)


def _outcome(found: Json) -> list[str]:
    parts: list[str] = []
    captions: list[str] = []
    rate, ends = number_in(found, "success_rate"), interval_in(found, "interval_95")
    if rate is not None and ends:
        parts.append(svg.rate(rate, ends))
        captions.append("Held success with its 95 % Wilson interval.")
    rows = [
        svg.Share(text_in(row, "subtask"), int(number_in(row, "entered") or 0), int(number_in(row, "failures") or 0))
        for row in objects_in(found, "per_subtask")
    ]
    if rows:
        parts.append(svg.shares(rows, noun="rollouts"))
        captions.append(
            "A failure counts at the first subtask that was never reached; at final, when all were reached but "
            "success was not held."
        )
    return [figure("".join(parts), "Success, and failures by subtask", " ".join(captions))] if parts else []


def _steps(rollouts: list[Json]) -> list[str]:
    steps = [value for row in rollouts if row.get("success") and (value := number_in(row, "steps")) is not None]
    if len(steps) < FEWEST_STEPS:
        return []
    return [figure(svg.histogram(steps, x_label="control steps", noun="rollouts"), "Steps to success")]


def _objects(rollouts: list[Json]) -> Json:
    """Initial states by object, as augmentation's statistics give them."""
    names = dict.fromkeys(key.removesuffix("_x_m") for row in rollouts for key in row if key.endswith("_x_m"))
    objects: Json = {}
    for name in names:
        states = [(state, bool(row.get("success"))) for row in rollouts if (state := _state(row, name))]
        objects[name] = {"attempts": [state for state, _ in states], "success": [success for _, success in states]}
    return objects


def _state(row: Json, name: str) -> list[float]:
    """x, y in metres and yaw in radians; empty if the row lacks one."""
    keys = ("x_m", "y_m", "qx", "qy", "qz", "qw")
    values = [value for key in keys if (value := number_in(row, f"{name}_{key}")) is not None]
    if len(values) < len(keys):
        return []
    x_m, y_m, x, y, z, w = values
    return [x_m, y_m, math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))]
