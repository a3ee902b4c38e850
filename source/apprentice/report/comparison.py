"""The page of a comparison: which policies differ, and which differences the numbers do not carry."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from apprentice.report import svg
from apprentice.report.fields import Json, interval_in, number_in, numbers_in, objects_in, text_in
from apprentice.report.page import Section, facts, figure, grid, page, table
from apprentice.report.rates import criterion, differences, points, policy_facts, successes
from apprentice.report.words import count, interval, percent, plural

MOST_CURVES = 8
"""Curves in one plot."""
VERDICTS = {"first better": "worse", "second better": "better", "undecided": "not shown"}
"""What the page says of the second of two, which it names first: "B against A"."""


def comparison_page(found: Json, directory: Path) -> str:
    """The page drawn from `comparison.json`."""
    evaluations = objects_in(found, "evaluations")
    task = text_in(found, "task")
    variant = text_in(found, "variant")
    words = ["Comparison", *([f"variant {variant}"] if variant else []), plural(len(evaluations), "evaluation")]
    sections = [
        _success(found, evaluations),
        *_recipes(found),
        _pairs(found),
        _profiles(found),
        _subtasks(evaluations),
        _provenance(found, evaluations),
    ]
    return page(title=task or directory.resolve().name, subtitle=" · ".join(words), overview="", sections=sections)


def _success(found: Json, evaluations: Sequence[Json]) -> Section:
    rollouts, seed = number_in(found, "rollouts") or 0, number_in(found, "seed") or 0
    lead = (
        f"All policies played the same <b>{escape(plural(rollouts, 'initial state'))}</b>, those of the seeds "
        f"{seed:.0f} to {seed + rollouts - 1:.0f}. {criterion(found)}"
    )
    spans: list[svg.Span] = []
    rows: list[Sequence[str]] = []
    for one in evaluations:
        rate, ends = number_in(one, "success_rate"), interval_in(one, "interval_95")
        if rate is None or ends is None:
            continue
        spans.append(svg.Span(text_in(one, "name"), rate, ends))
        steps = number_in(one, "mean_steps_success")
        rows.append(
            [
                text_in(one, "name"),
                text_in(one, "backend"),
                successes(one),
                percent(rate),
                interval(ends),
                "-" if steps is None else f"{steps:.0f}",
            ]
        )
    header = ["evaluation", "backend", "successes", "rate", "95 % interval", "steps to success"]
    plot = (
        svg.spans(
            spans, low=min([1.0, *(end for span in spans for end in (*span.ends, span.value))]), high=1.0, text=percent
        )
        if spans
        else ""
    )
    caption = "Held success with its 95 % interval, each for itself. Whether two differ is said below."
    body = figure(plot, "Success", caption, wide=True) + figure(table(header, rows), "In numbers", wide=True)
    return Section("success", "Success", lead, grid([body], "grid single"))


def _recipes(found: Json) -> list[Section]:
    """What holds for recipes; nothing where each was trained once."""
    recipes = objects_in(found, "recipes")
    if not recipes:
        return []
    rows = [
        [
            text_in(one, "name"),
            count(len(numbers_in(one, "rates"))),
            ", ".join(percent(rate) for rate in numbers_in(one, "rates")),
            percent(number_in(one, "interquartile_mean") or 0.0),
            interval(interval_in(one, "interval") or (0.0, 1.0)),
        ]
        for one in recipes
    ]
    caption = (
        "The interquartile mean is that of the middle half of the trainings, which a lucky or broken one does not "
        "move. Its 95 % interval resamples trainings and rollouts; below five trainings it is too narrow."
    )
    header = ["recipe", "trainings", "rate of each", "interquartile mean", "95 % interval"]
    figures = [figure(table(header, rows), "Recipes that were trained several times", caption, wide=True)]
    if pairs := objects_in(found, "recipe_pairs"):
        caption = (
            "B against A: the interquartile mean of B minus that of A. The test deals out the trainings anew "
            "(permutation test), so it needs at least four trainings of each to call anything; its p values are "
            "corrected for the number of pairs (Holm)."
        )
        figures.append(_differences(pairs, "Differences between recipes", caption))
    lead = "What a recipe gives differs from training to training. Here the training is what is random."
    return [Section("recipes", "Recipes", lead, grid(figures, "grid single"))]


def _pairs(found: Json) -> Section:
    pairs = objects_in(found, "pairs")
    called = [pair for pair in pairs if text_in(pair, "verdict") != "undecided"]
    lead = (
        f"{plural(len(pairs), 'pair')} of policies, rollout by rollout from the same initial states: "
        f"<b>{len(called)} differ</b>, {len(pairs) - len(called)} do not show a difference. This is about these very "
        "policies, not about how they were made."
    )
    caption = (
        "B against A: the rate of B minus that of A, with the 95 % interval for paired rollouts (Newcombe), each for "
        "itself. p: exact McNemar "
        f"test, corrected for {plural(len(pairs), 'pair')} (Holm): calling those below 0.05 errs anywhere at most 5 "
        "times in 100. Where nothing is shown, every difference inside the interval remains possible."
    )
    return Section("differences", "Differences", lead, grid([_differences(pairs, "Pairs", caption)], "grid single"))


def _differences(pairs: Sequence[Json], title: str, caption: str) -> str:
    spans: list[svg.Span] = []
    rows: list[Sequence[str]] = []
    for pair in pairs:
        value, ends = number_in(pair, "difference"), interval_in(pair, "interval")
        if value is None or ends is None:
            continue
        name = f"{text_in(pair, 'second')} against {text_in(pair, 'first')}"
        called = text_in(pair, "verdict") != "undecided"
        spans.append(svg.Span(name, value, ends, soft=not called))
        rows.append(
            [
                name,
                points(value),
                f"{points(ends[0])} to {points(ends[1])}",
                f"{number_in(pair, 'p_holm') or 0.0:.2g}",
                VERDICTS.get(text_in(pair, "verdict"), ""),
            ]
        )
    header = ["pair", "points", "95 % interval", "p (Holm)", "verdict"]
    return figure(differences(spans) + table(header, rows), title, caption, wide=True)


def _profiles(found: Json) -> Section:
    curves = [
        svg.Curve(text_in(one, "name"), numbers_in(one, "steps"), numbers_in(one, "share"))
        for one in objects_in(found, "profiles")
        if numbers_in(one, "steps") and len(numbers_in(one, "steps")) == len(numbers_in(one, "share"))
    ]
    plots = [
        figure(
            svg.curves(curves[start : start + MOST_CURVES], x_label="control steps", width=svg.WIDE),
            "Share of rollouts that had succeeded",
            "Higher is better, further left is faster; the curve ends at the success rate. A recipe that was trained "
            "several times is one curve over all its rollouts.",
            wide=True,
        )
        for start in range(0, len(curves), MOST_CURVES)
    ]
    return Section("steps", "Steps to success", "", grid(plots, "grid single"))


def _subtasks(evaluations: Sequence[Json]) -> Section:
    names = dict.fromkeys(text_in(row, "subtask") for one in evaluations for row in objects_in(one, "per_subtask"))
    rows: list[Sequence[str]] = []
    for one in evaluations:
        cells = {text_in(row, "subtask"): row for row in objects_in(one, "per_subtask")}
        rows.append([text_in(one, "name"), *(_failed(cells.get(name, {})) for name in names)])
    text = (
        "Failures of the rollouts that had reached every subtask before. A failure counts at the first subtask that "
        "was never reached; at final, when all were reached but success was not held."
    )
    body = figure(table(["evaluation", *names], rows), "Failures by subtask", text, wide=True)
    return Section("subtasks", "Failures by subtask", "", grid([body], "grid single"))


def _failed(row: Json) -> str:
    entered, failures = number_in(row, "entered"), number_in(row, "failures")
    if entered is None or failures is None:
        return "-"
    share = f" ({percent(failures / entered)})" if failures and entered else ""
    return f"{count(failures)} of {count(entered)}{share}"


def _provenance(found: Json, evaluations: Sequence[Json]) -> Section:
    cards: list[str] = []
    for one in evaluations:
        cards.append(figure(facts(policy_facts(one, ("folder", "backend", "variant"))), text_in(one, "name")))
    return Section("provenance", "Provenance", "", grid(cards))
