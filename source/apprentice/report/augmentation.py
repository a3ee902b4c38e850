"""What augmentation made of the source demos."""

from __future__ import annotations

from html import escape

from apprentice.report import svg
from apprentice.report.cells import covered
from apprentice.report.fields import Json, interval_in, number_in, numbers_in, object_in, objects_in, text_in
from apprentice.report.page import Section, command, figure, grid, missing, table
from apprentice.report.results import RunResults
from apprentice.report.states import initial_states
from apprentice.report.tries import name_of, tries
from apprentice.report.videos import failures
from apprentice.report.words import count, duration, interval, percent, plural


def augmentation(run: RunResults) -> Section:
    """Data generation rate, failures by subtask, coverage and lengths, for each generated file."""
    said = command(text_in(run.stage("augment"), "command"))
    if not run.augmentations:
        gone = missing("No *.stats.json of augmentation in this run.")
        return Section("augmentation", "Augmentation", "", said + gone)
    if len(run.augmentations) == 1:
        stats = next(iter(run.augmentations.values()))
        body = said + _plots(stats) + failures(run)
        return Section("augmentation", "Augmentation", _lead(stats), body)
    parts = [
        f'<h3 class="group">{escape(name)}</h3><p class="lead">{_lead(stats)}</p>{_plots(stats)}'
        for name, stats in run.augmentations.items()
    ]
    return Section("augmentation", "Augmentation", "", said + "".join(parts) + failures(run))


def _lead(stats: Json) -> str:
    successes, attempts, rate = (number_in(stats, key) for key in ("successes", "attempts", "dgr"))
    words: list[str] = []
    if successes is not None and attempts is not None and rate is not None:
        text = f"<b>{count(successes)} of {escape(plural(attempts, 'attempt'))}</b> ended in held success: "
        text += f"<b>{percent(rate)}</b>"
        if ends := interval_in(stats, "dgr_interval_95"):
            text += f" (95 % interval {interval(ends)})"
        words.append(text + ".")
    if (any_step := number_in(stats, "successes_any_step")) is not None:
        words.append(f"At some step, {count(any_step)} were successful.")
    if pace := _pace(stats):
        words.append(f"It took {'; '.join(pace)}.")
    if isinstance(stats.get("retry"), bool):
        words.append("Failed subtasks were retried." if stats["retry"] else "Failed subtasks were not retried.")
    return " ".join(words)


def _pace(stats: Json) -> list[str]:
    words: list[str] = []
    if seconds := number_in(stats, "seconds"):
        workers = number_in(stats, "workers")
        words.append(duration(seconds) + (f" with {plural(workers, 'worker')}" if workers else ""))
    if hourly := number_in(stats, "successes_per_hour"):
        words.append(f"{count(hourly)} successes an hour")
    if steps := number_in(stats, "sim_steps_per_success"):
        words.append(f"{count(steps)} environment steps for each success")
    return words


def _plots(stats: Json) -> str:
    plots: list[str] = []
    rate, ends = number_in(stats, "dgr"), interval_in(stats, "dgr_interval_95")
    if rate is not None and ends:
        plot = svg.rate(rate, ends) + _causes(stats)
        plots.append(figure(plot, "Data generation rate", "Held successes per attempt, with the 95 % interval."))
    if rows := [_subtask(row) for row in objects_in(stats, "subtasks")]:
        plot = svg.shares(rows, noun="tries")
        plots.append(figure(plot, "Tries by subtask", "A try is one pass of a segment; retries count."))
    plots += tries(stats)
    if lengths := numbers_in(stats, "lengths"):
        plot = svg.histogram(lengths, x_label="length (control steps)", noun="demos")
        plots.append(figure(plot, "Length of the generated demos"))
    coverage, cells = covered(object_in(stats, "coverage"))
    title = "Attempts against successes" if coverage else "Coverage of the reset distribution"
    numbers, maps = initial_states(object_in(stats, "initial_states"), title, cells=not coverage)
    return grid([*plots, *numbers, coverage]) + cells + maps


def _causes(stats: Json) -> str:
    """Why attempts failed: where, and if it is known how."""
    if ended := objects_in(stats, "attempt_causes"):
        rows = [
            [text_in(one, "subtask"), text_in(one, "cause"), count(number_in(one, "attempts") or 0)] for one in ended
        ]
        return table(["where attempts failed", "why", "attempts"], rows)
    causes = object_in(stats, "failure_causes")
    found = {name: number_in(causes, name) or 0 for name in causes}
    if not found:
        return ""
    rows = [[name, count(found[name])] for name in sorted(found, key=lambda name: -found[name])]
    return table(["why attempts failed", "attempts"], rows)


def _subtask(row: Json) -> svg.Share:
    return svg.Share(name_of(row), int(number_in(row, "tries") or 0), int(number_in(row, "failures") or 0))
