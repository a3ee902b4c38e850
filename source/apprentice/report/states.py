"""Maps of initial states: where it went well, and where not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from apprentice.report import svg
from apprentice.report.coverage import CELLS, coverage
from apprentice.report.fields import Json, list_in, object_in
from apprentice.report.page import figure, grid, missing, table

KEY = '<p class="key"><span>success</span><span class="failure">failure</span></p>'


def initial_states(objects: Json, title: str, *, cells: bool = True) -> tuple[list[str], str]:
    """Where each object was in all attempts and in the successful ones.

    Args:
        objects: Per object its `attempts`, each x, y in metres and, optionally, yaw in radians, and their `success`.
        title: Of the figure of numbers.
        cells: Whether it counts cells with a success.

    Returns:
        A figure of numbers, if there are any, and the maps.
    """
    maps: list[str] = []
    rows: list[Sequence[str]] = []
    for name in objects:
        attempts, success = _paired(object_in(objects, name))
        if not attempts:
            continue
        found = coverage(attempts, success)
        plot = svg.scatter([state[0] for state in attempts], [state[1] for state in attempts], success, title=name)
        maps.append(figure(plot, f"Initial position of {name}"))
        distances = [f"{found.distances[key]:.3f}" if key in found.distances else "-" for key in ("x", "y", "yaw")]
        rows.append([name, *([f"{found.covered} of {found.cells}"] if cells else []), *distances])
    if not maps:
        return [], missing("The result files hold no initial states, so there are no maps of them.")
    text = (
        "KS: Kolmogorov-Smirnov distance between all attempts and the successes; 0 means that successes favour no part "
        "of the distribution."
    )
    if cells:
        text = f"Cells: a {CELLS} by {CELLS} grid over the tried positions. {text}"
    header = ["object", *(["cells with a success"] if cells else []), "KS x", "KS y", "KS yaw"]
    numbers = figure(table(header, rows), title, text)
    return [numbers], KEY + grid(maps, "grid maps")


def _paired(states: Json) -> tuple[list[list[float]], list[bool]]:
    """States of equal length with their outcomes; nothing where the two do not match."""
    attempts = [cast(list[Any], state) for state in list_in(states, "attempts") if isinstance(state, list)]
    success = [bool(one) for one in list_in(states, "success")]
    columns = min((len(state) for state in attempts), default=0)
    if columns < 2 or len(attempts) != len(success):
        return [], []
    return [[float(value) for value in state[:3][:columns]] for state in attempts], success
