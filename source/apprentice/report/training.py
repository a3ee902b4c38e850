"""How training went."""

from __future__ import annotations

from html import escape

from apprentice.report import svg
from apprentice.report.fields import Json, number_in, text_in
from apprentice.report.page import Section, command, facts, figure, grid, missing
from apprentice.report.results import RunResults
from apprentice.report.words import duration, number, plural

STEP_KEYS = ("step", "steps", "epoch")
CLOCK_KEYS = ("seconds", "time", "eta_seconds")
LOG_SPAN = 20.0
"""A curve whose values span more than this factor is drawn on a logarithmic scale."""
MOST_PLOTS = 6


def training(run: RunResults) -> Section:
    """Learning curves of everything that was logged."""
    train = run.stage("train")
    said = command(text_in(train, "command"))
    details = [(_plain(key), text) for key in train if key != "command" and (text := _value(train, key))]
    settings = [figure(facts(details), "In numbers")] if details else []
    if not run.training:
        gone = missing("No train/log.jsonl in this run, so there is no learning curve.")
        return Section("training", "Training", "", said + grid(settings) + gone)
    step_key = next((key for key in STEP_KEYS if any(key in row for row in run.training)), "")
    plots = [_plot(name, lines, step_key) for name, lines in _groups(run.training, step_key).items()]
    body = said + grid([*plots[:MOST_PLOTS], *settings])
    if not plots:
        body += missing("train/log.jsonl holds no number that was logged at least twice.")
    return Section("training", "Training", _lead(run, step_key), body)


def _lead(run: RunResults, step_key: str) -> str:
    train, last = run.stage("train"), run.training[-1]
    words: list[str] = []
    if steps := number_in(train, "steps") or number_in(last, step_key):
        words.append(f"<b>{escape(plural(steps, 'epoch' if step_key == 'epoch' else 'step'))}</b>")
    if seconds := number_in(train, "seconds") or number_in(last, "seconds"):
        words.append(f"in <b>{escape(duration(seconds))}</b>")
    return " ".join(words) + "." if words else ""


def _groups(rows: list[Json], step_key: str) -> dict[str, list[svg.Curve]]:
    """Curves by plot: losses together, everything else apart."""
    groups: dict[str, list[svg.Curve]] = {}
    for name in dict.fromkeys(key for row in rows for key in row if key not in (step_key, *CLOCK_KEYS)):
        x: list[float] = []
        y: list[float] = []
        for index, row in enumerate(rows):
            step, value = number_in(row, step_key) if step_key else index, number_in(row, name)
            if step is not None and value is not None:
                x.append(step)
                y.append(value)
        if len(x) >= 2:
            plot = "loss" if "loss" in name.lower() else _plain(name)
            groups.setdefault(plot, []).append(svg.Curve(_plain(name), x, y))
    return groups


def _plot(name: str, lines: list[svg.Curve], step_key: str) -> str:
    values = [y for line in lines for y in line.y]
    log = min(values) > 0 and max(values) / min(values) > LOG_SPAN
    plot = svg.curves(lines[:4], x_label=_plain(step_key) or "line of the log", log=log)
    return figure(plot, name[:1].upper() + name[1:], "Logarithmic scale." if log else "")


def _value(train: Json, key: str) -> str:
    value = number_in(train, key)
    if value is not None:
        return duration(value) if key.endswith("seconds") else number(value)
    return str(train[key]) if isinstance(train[key], str | bool) else ""


def _plain(key: str) -> str:
    return "learning rate" if key == "lr" else key.replace("_", " ").replace("/", " / ")
