"""The page of a robustness suite: how often a policy succeeds when something is different, and what that costs it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from apprentice.report import svg
from apprentice.report.fields import Json, interval_in, number_in, object_in, objects_in, text_in
from apprentice.report.page import Section, facts, figure, grid, page, table
from apprentice.report.rates import criterion, differences, points, policy_facts, successes
from apprentice.report.words import count, interval, percent, plural

VERDICTS = {"worse": "worse", "better": "better", "undecided": "not shown"}
"""What the page says of a condition against the nominal one."""
UNITS = {
    "position_noise_m": "positions seen with an error of {0} m",
    "rotation_noise_rad": "orientations seen with an error of {0} rad",
    "constant_noise": "the same error throughout a rollout",
    "delay_steps": "actions {0} control steps late",
    "control_rate": "control rate x {0}",
    "mass": "masses x {0}",
    "friction": "friction x {0}",
    "push_m_s": "an object pushed at {0} m/s",
    "mishap": "mishap: {0}",
    "looks": "other cameras, lights or colours",
    "variant": "variant {0}",
    "backend": "engine {0}",
}
"""What a change of a condition reads like."""


def suite_page(found: Json, directory: Path) -> str:
    """The page drawn from `suite.json`."""
    conditions = objects_in(found, "conditions")
    words = ["Robustness", f"suite {text_in(found, 'suite')}", plural(len(conditions), "condition")]
    sections = [_success(found, conditions), _differences(conditions), _not_counted(conditions), _provenance(found)]
    title = text_in(found, "task") or directory.resolve().name
    return page(title=title, subtitle=" · ".join(words), overview="", sections=[one for one in sections if one])


def _success(found: Json, conditions: Sequence[Json]) -> Section:
    asked, seed = number_in(found, "asked") or 0, number_in(found, "seed") or 0
    lead = (
        f"Each condition plays <b>{escape(plural(asked, 'rollout'))}</b>, with the seeds {seed:.0f} to "
        f"{seed + asked - 1:.0f} in all of them. {criterion(found)}"
    )
    mishaps = object_in(found, "mishaps")
    ends = interval_in(mishaps, "interval_95")
    if ends:
        lead += (
            f" After a mishap the policy succeeded in <b>{count(number_in(mishaps, 'successes') or 0)} of "
            f"{plural(number_in(mishaps, 'rollouts') or 0, 'rollout')}</b>: "
            f"{percent(number_in(mishaps, 'success_rate') or 0)}, 95 % interval {interval(ends)}."
        )
    spans: list[svg.Span] = []
    rows: list[Sequence[str]] = []
    for one in conditions:
        rate, ends = number_in(one, "success_rate"), interval_in(one, "interval_95")
        name, changes = text_in(one, "name"), _changes(object_in(one, "changes"))
        if rate is None or ends is None:
            rows.append([name, changes, "-", "-", "-", f"not evaluated: {text_in(one, 'not_evaluated')}"])
            continue
        paired = object_in(one, "against_nominal")
        spans.append(svg.Span(name, rate, ends))
        verdict = VERDICTS.get(text_in(paired, "verdict"), "")
        rows.append(
            [name, changes, successes(one), f"{percent(rate)} ({interval(ends)})", _difference(paired), verdict]
        )
    plot = svg.spans(spans, low=0.0, high=1.0, text=percent) if spans else ""
    header = ["condition", "what differs", "successes", "rate (95 % interval)", "points against nominal", "verdict"]
    caption = (
        "Differences are those of rollouts of the same seed, with the 95 % interval for paired rates (Newcombe). Worse "
        "or better is said where the exact McNemar test, corrected for the number of conditions (Holm), carries it "
        "too; where nothing is shown, every difference inside the interval remains possible."
    )
    figures = [
        figure(plot, "Held success with its 95 % interval", wide=True),
        figure(table(header, rows, words=(1, 5)), "In numbers", caption, wide=True),
    ]
    return Section("success", "Success under each condition", lead, grid(figures, "grid single"))


def _changes(changes: Json) -> str:
    words = [UNITS[key].format(_plain(value)) for key, value in changes.items() if key in UNITS]
    return ", ".join(words) or "nothing"


def _plain(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _difference(paired: Json) -> str:
    value, ends = number_in(paired, "difference"), interval_in(paired, "interval")
    return "" if value is None or ends is None else f"{points(value)} ({points(ends[0])} to {points(ends[1])})"


def _differences(conditions: Sequence[Json]) -> Section | None:
    spans: list[svg.Span] = []
    for one in conditions:
        paired = object_in(one, "against_nominal")
        value, ends = number_in(paired, "difference"), interval_in(paired, "interval")
        if value is not None and ends is not None:
            spans.append(svg.Span(text_in(one, "name"), value, ends, soft=text_in(paired, "verdict") == "undecided"))
    if not spans:
        return None
    body = figure(
        differences(spans), "Points against the nominal condition", "Pale: no difference is shown.", wide=True
    )
    return Section("differences", "What it costs", "", grid([body], "grid single"))


def _not_counted(conditions: Sequence[Json]) -> Section | None:
    rows = [
        [text_in(one, "name"), reason, count(number_in(object_in(one, "not_counted"), reason) or 0)]
        for one in conditions
        for reason in object_in(one, "not_counted")
    ]
    if not rows:
        return None
    text = (
        "A rollout counts under a mishap or a push if that came, changed something, and left every object where the "
        "task can still be done."
    )
    body = figure(
        table(["condition", "why", "rollouts"], rows, words=(1,)), "Rollouts that do not count", text, wide=True
    )
    return Section("not-counted", "Not counted", "", grid([body], "grid single"))


def _provenance(found: Json) -> Section:
    body = figure(facts(policy_facts(found, ("backend", "variant"))), "The policy")
    return Section("provenance", "Provenance", "", grid([body]))
