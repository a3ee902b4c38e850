"""The headline numbers, and the demos a run began with."""

from __future__ import annotations

from html import escape

from apprentice.report import svg
from apprentice.report.fields import Json, interval_in, number_in, numbers_in, text_in
from apprentice.report.page import Section, command, figure, grid, hero, missing, tile
from apprentice.report.results import RunResults
from apprentice.report.words import count, date, duration, interval, percent, plural


def title(run: RunResults) -> str:
    """What the page is called: the task."""
    return _said(run, "task") or run.directory.resolve().name


def subtitle(run: RunResults) -> str:
    """Variant, backend and date, as far as they are known."""
    words = ["Apprentice report"]
    if variant := _said(run, "variant"):
        words.append(f"variant {variant}")
    if backend := _said(run, "backend"):
        words.append(f"backend {backend}")
    if created := _said(run, "created"):
        words.append(date(created))
    return " · ".join(words)


def overview(run: RunResults) -> str:
    """The numbers most readers came for."""
    record, augment, train = (run.stage(name) for name in ("record", "augment", "train"))
    for stats in run.augmentations.values():
        augment = stats | augment  # the summary of a run speaks for all its files
    tiles = [_success(run.evaluation or run.stage("evaluate"))]
    if (episodes := number_in(record, "episodes")) is not None:
        tiles.append(tile(count(episodes), "source demos", f"operator: {run.operator or 'not stated'}"))
    if (successes := number_in(augment, "successes")) is not None:
        hourly = number_in(augment, "successes_per_hour")
        tiles.append(tile(count(successes), "generated demos", f"{count(hourly)} an hour" if hourly else ""))
    if (rate := number_in(augment, "dgr")) is not None:
        attempts = number_in(augment, "attempts")
        tiles.append(
            tile(percent(rate), "data generation rate", f"of {plural(attempts, 'attempt')}" if attempts else "")
        )
    if seconds := number_in(augment, "seconds"):
        tiles.append(tile(duration(seconds), "augmentation", "wall time"))
    if seconds := number_in(train, "seconds"):
        steps = number_in(train, "steps")
        tiles.append(tile(duration(seconds), "training", plural(steps, "step") if steps else ""))
    if seconds := number_in(run.summary, "wall_seconds"):
        tiles.append(tile(duration(seconds), "the whole run", "wall time"))
    return grid([one for one in tiles if one], "tiles") + command(text_in(run.summary, "command"))


def demos(run: RunResults) -> Section:
    """Where the demos came from. A scripted operator is always named as one."""
    record = run.stage("record")
    files = sorted({text_in(stats, "source_file") for stats in run.augmentations.values()} - {""})
    episodes, lead = number_in(record, "episodes"), list[str]()
    if episodes is not None:
        lead.append(f"The run began with <b>{escape(plural(episodes, 'source demo'))}</b>.")
    if files:
        lead.append(f"Source file: <b>{escape(', '.join(files))}</b>.")
    if run.operator:
        lead.append(f'Operator: <span class="pill">{escape(run.operator)}</span>')
    elif lead:
        lead.append("The result files do not say who or what operated the robot.")
    body = command(text_in(record, "command"))
    if not lead:
        body += missing("The result files of this run do not describe its source demos.")
    if lengths := numbers_in(record, "lengths"):
        plot = svg.histogram(lengths, x_label="length (control steps)", noun="demos")
        body += grid([figure(plot, "Length of the source demos")])
    return Section("demos", "Source demos", " ".join(lead), body)


def _said(run: RunResults, key: str) -> str:
    return next(filter(None, (text_in(source, key) for source in run.sources)), "")


def _success(evaluation: Json) -> str:
    rate, ends = number_in(evaluation, "success_rate"), interval_in(evaluation, "interval_95")
    if rate is None or ends is None:
        return ""
    detail = f"95 % interval {interval(ends)}, {plural(number_in(evaluation, 'rollouts') or 0, 'rollout')}"
    return hero(percent(rate), "held success of the policy", detail, svg.rate(rate, ends))
