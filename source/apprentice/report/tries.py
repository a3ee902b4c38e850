"""Tables of the tries of augmentation: per subtask, by cause of failure, and by source demo."""

from __future__ import annotations

from collections.abc import Sequence

from apprentice.report.fields import Json, number_in, object_in, objects_in, text_in
from apprentice.report.page import figure, table
from apprentice.report.words import count, percent


def name_of(row: Json) -> str:
    """What a subtask is called."""
    name = text_in(row, "name") or text_in(row, "signal") or f"end at {text_in(row, 'object') or 'the goal'}"
    if (index := number_in(row, "index")) is not None:
        name = f"{index + 1:.0f}. {name}"
    if eef := text_in(row, "eef"):
        name += f" · {eef}"
    return name


def tries(stats: Json) -> list[str]:
    """Figures; none where the statistics say nothing of single tries."""
    rows = [row for row in objects_in(stats, "subtasks") if "sources" in row]
    if not rows:
        return []
    return [_counts(stats, rows), *_causes(rows), _sources(rows)]


def _counts(stats: Json, rows: Sequence[Json]) -> str:
    attempts, successes = number_in(stats, "attempts"), number_in(stats, "successes")
    cells: list[Sequence[str]] = []
    for row in rows:
        made, steps = number_in(row, "tries") or 0, number_in(row, "steps") or 0
        reached = sum(number_in(source, "reached") or 0 for source in _by_demo(row).values())
        cells.append(
            [
                name_of(row),
                count(made),
                f"{made / attempts:.2f}" if attempts else "-",
                f"{count(reached)} ({percent(reached / made)})" if made else "-",
                count(steps / successes) if successes else "-",
            ]
        )
    header = ["subtask", "tries", "per attempt", "reached its end", "steps per success"]
    text = "Steps are control steps simulated in all tries of the subtask, for each held success of the whole task."
    return figure(table(header, cells), "What became of the tries", text, wide=True)


def _causes(rows: Sequence[Json]) -> list[str]:
    cells = [
        [name_of(row), count(number_in(one, "tries") or 0), text_in(one, "cause"), text_in(one, "means")]
        for row in rows
        for one in objects_in(row, "causes")
    ]
    if not cells:
        return []
    text = (
        "The first thing that went wrong in each try, seen from where hand and objects were. Lengths are medians: half "
        "of the tries were off by less."
    )
    header = ["subtask", "tries", "cause", "meaning"]
    return [figure(table(header, cells, words=(3,)), "Why tries failed", text, wide=True)]


def _sources(rows: Sequence[Json]) -> str:
    demos = sorted({name for row in rows for name in _by_demo(row)}, key=lambda name: (len(name), name))
    cells = [[demo, *(_used(_by_demo(row).get(demo)) for row in rows)] for demo in demos]
    text = (
        "How often a segment of each source demo was played in a subtask, and how often it reached the subtask's end."
    )
    return figure(table(["source demo", *map(name_of, rows)], cells), "Use of the source demos", text, wide=True)


def _by_demo(row: Json) -> dict[str, Json]:
    sources = object_in(row, "sources")
    return {name: object_in(sources, name) for name in sources}


def _used(source: Json | None) -> str:
    made = number_in(source or {}, "tries")
    return f"{count(number_in(source or {}, 'reached') or 0)} of {count(made)}" if made else "-"
