"""Where and from which initial states the policy failed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from apprentice.report import svg
from apprentice.report.fields import Json, interval_in, list_in, number_in, numbers_in, object_in, objects_in, text_in
from apprentice.report.page import Section, figure, grid, table
from apprentice.report.results import RunResults
from apprentice.report.words import count, interval, plural

_MOST_ROWS = 40
"""Failures that are spoken of one by one."""


def failures(run: RunResults) -> list[Section]:
    """What the failures have in common; nothing if none were looked at, or there were none."""
    found = run.failure_analysis
    failed, rollouts = number_in(found, "failures"), number_in(found, "rollouts")
    if not failed or not rollouts:
        return []
    places = object_in(found, "initial_states")
    lead = f"<b>{count(failed)} of {plural(rollouts, 'rollout')}</b> failed. {escape(text_in(places, 'sentence'))}"
    return [Section("failures", "Failures", lead, _places(places) + _divergence(object_in(found, "divergence")))]


def _divergence(found: Json) -> str:
    """Where failed rollouts first left the demos; empty if they were not held against any."""
    rollouts = objects_in(found, "rollouts")
    if not rollouts:
        return ""
    groups = [
        [text_in(one, "sentence"), count(number_in(one, "rollouts") or 0), _step(one, "median_step")]
        for one in objects_in(found, "groups")
    ]
    lead = (
        f"Held against {plural(number_in(found, 'demos_read') or 0, 'demo')} of {text_in(found, 'demos')}. Outside is "
        f"what is {number_in(found, 'width') or 0:.1f} times as far from every demo, or takes as many times longer, as "
        f"is usual: 95 % of {text_in(found, 'usual_of')} never are. A turn of 1 rad counts as 5 cm."
    )
    shown = rollouts[:_MOST_ROWS]
    rows = [
        [
            count(number_in(one, "rollout") or 0),
            text_in(one, "seed"),
            text_in(one, "failed_subtask"),
            text_in(one, "sentence"),
            f"{text_in(one, 'initial_demo')}, {100 * (number_in(one, 'initial_distance_m') or 0):.1f} cm",
        ]
        for one in shown
    ]
    header = ["rollout", "seed", "failed at", "what came first", "nearest demo at the start"]
    caption = text_in(object_in(found, "initial_distance"), "sentence")
    if len(shown) < len(rollouts):
        caption += f" The first {len(shown)} of {len(rollouts)} failures; failures.json has all."
    figures = [
        figure(table(["what came first", "rollouts", "median step"], groups), "How failures left the demos", lead),
        figure(table(header, rows, words=(3,)), "Failure by failure", caption),
    ]
    return grid(figures, "grid single")


def _step(one: Json, key: str) -> str:
    step = number_in(one, key)
    return "-" if step is None else f"{step:.0f}"


def _places(places: Json) -> str:
    maps = object_in(places, "maps")
    drawn = {name: _map(name, object_in(maps, name)) for name in maps}
    plots = [figure(plot, f"Failures by where {name} starts") for name, plot in drawn.items() if plot]
    tests = [
        [text_in(one, "what"), f"{number_in(one, 'p_value') or 0.0:.2g}", f"{number_in(one, 'p_holm') or 0.0:.2g}"]
        for one in objects_in(places, "dependence")
    ]
    figures: list[str] = []
    if tests:
        text = (
            "Permutation test of the energy distance between the initial states of failures and of successes: how "
            "probable a difference so large is if chance chooses who fails. p (Holm) is corrected for the number of "
            "rows. A small p says that failing depends on it, not how."
        )
        figures.append(figure(table(["what of the initial state", "p", "p (Holm)"], tests), "Is it chance?", text))
    if turns := [row for name in maps if (row := _turns(name, object_in(object_in(maps, name), "yaw")))]:
        columns = max(len(row) for row in turns)
        header = ["object, turned by", "failed/tried", *[""] * (columns - 2)]
        rows = [[*row, *[""] * (columns - len(row))] for row in turns]
        text = "Equal parts of the range, from left to right; turns that look alike count as one."
        figures.append(figure(table(header, rows), "Failures by how objects are turned", text))
    return grid(plots, "grid maps") + _cell_note(places) + grid(figures, "grid single")


def _cell_note(places: Json) -> str:
    held, ends = number_in(places, "rollouts_in_a_cell"), interval_in(places, "interval_in_a_cell")
    if not held or not ends:
        return ""
    return (
        f'<p class="lead">Failures of rollouts in each cell. A typical cell holds {escape(plural(held, "rollout"))}: '
        f"were its rate that of all, its 95 % interval would be {interval(ends)}, so single cells say little.</p>"
    )


def _map(name: str, one: Json) -> str:
    x, y = numbers_in(one, "x"), numbers_in(one, "y")
    tried, won = (np.asarray(list_in(one, key), dtype=np.float64) for key in ("tried", "won"))
    if tried.shape != (len(x) - 1, len(y) - 1) or tried.shape != won.shape or not tried.size:
        return ""
    return svg.cells(x, y, tried, won, title=name, noun="rollouts")


def _turns(name: str, turns: Json) -> Sequence[str]:
    edges, tried, won = (numbers_in(turns, key) for key in ("edges", "tried", "won"))
    if len(edges) != len(tried) + 1 or len(tried) != len(won) or not tried:
        return []
    ends = f"{math.degrees(edges[0]):.0f}° to {math.degrees(edges[-1]):.0f}°".replace("-", "\u2212")
    return [f"{name}, {ends}", *(f"{a - b:.0f}/{a:.0f}" for a, b in zip(tried, won, strict=True))]
