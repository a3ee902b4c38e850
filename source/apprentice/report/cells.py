"""Coverage of the reset distribution as maps: each cell of an object's initial positions by how often it succeeded."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apprentice.report import svg
from apprentice.report.fields import Json, list_in, number_in, numbers_in, object_in, objects_in
from apprentice.report.page import figure, grid, table
from apprentice.report.words import count, percent, plural

_MOST_ROWS = 8
"""Cells without a success that are named."""


def covered(coverage: Json) -> tuple[str, str]:
    """Numbers and maps of the `coverage` of `FILE.stats.json`, as HTML; both empty if there is none."""
    share, visited, filled = (number_in(coverage, key) for key in ("share", "visited", "filled"))
    if share is None or visited is None or filled is None:
        return "", ""
    kinds = {"6 by 6 places, 3 turns": "objects", "3 by 3 places each": "pairs"}
    rows: list[Sequence[str]] = [
        [
            f"{name}: {title}",
            f"{count(number_in(view, 'filled') or 0)} of {count(number_in(view, 'visited') or 0)}",
            count(number_in(view, "cells") or 0),
        ]
        for title, kind in kinds.items()
        for name, view in _views(coverage, kind)
    ]
    lead = (
        f"<p>Successes fill <b>{count(filled)} of {escape(plural(visited, 'cell'))}</b> that attempts visited: "
        f"<b>{percent(share)}</b>.</p>"
    )
    numbers = figure(
        lead + table(["cells of", "with a success, of those visited", "cells"], rows) + _owed(coverage),
        "Coverage of the reset distribution",
        "Cells divide where resets put objects. A pair's cells show combinations that fail though each object alone "
        "succeeds everywhere. Some cells of pairs may never be drawn, because objects do not start inside each other.",
        wide=True,
    )
    maps = [figure(_map(name, view), f"Success by where {name} starts") for name, view in _views(coverage, "objects")]
    return numbers, grid([one for one in maps if one], "grid maps")


def _views(coverage: Json, kind: str) -> list[tuple[str, Json]]:
    views = object_in(coverage, kind)
    return [(name, object_in(views, name)) for name in views]


def _owed(coverage: Json) -> str:
    owed = objects_in(coverage, "owed")[:_MOST_ROWS]
    if not owed:
        return "<p>Every cell that was visited holds a success.</p>"
    rows: list[Sequence[str]] = []
    for one in owed:
        bounds = object_in(one, "bounds")
        where = ", ".join(
            f"{name} {_ends(numbers_in(bounds, name), name)}" for name in bounds if len(numbers_in(bounds, name)) == 2
        )
        rows.append([where, count(number_in(one, "attempts") or 0)])
    return table(["visited, and never a success", "attempts"], rows, words=(0,))


def _ends(ends: Sequence[float], name: str) -> str:
    unit = "rad" if name.endswith("yaw") else "m"
    return f"{ends[0]:.2f} to {ends[1]:.2f} {unit}"


def _map(name: str, view: Json) -> str:
    edges = object_in(object_in(view, "edges"), name)
    tried, won = (np.asarray(list_in(view, key), dtype=np.float64) for key in ("attempts", "successes"))
    x, y = numbers_in(edges, "x"), numbers_in(edges, "y")
    if tried.ndim != 3 or tried.shape != won.shape or tried.shape[:2] != (len(x) - 1, len(y) - 1):
        return ""
    return svg.cells(x, y, _summed(tried), _summed(won), title=name)


def _summed(values: NDArray[Any]) -> NDArray[np.float64]:
    """Over yaw: a map has two axes."""
    return values.sum(axis=2)
