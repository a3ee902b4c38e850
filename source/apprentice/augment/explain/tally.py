"""What became of all the tries of a run, subtask by subtask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apprentice.augment.attempt import Outcome

from .probe import explain, subtask_name

Row = dict[str, Any]


def subtask_rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """A row per end effector and subtask, in order.

    Returns:
        eef, index, object, signal, name; tries and failures; "causes", the commonest first: cause, tries and what it
        means in words; "sources": tries and how many of them reached the subtask's end, per source demo; "steps":
        control steps of all its tries.
    """
    rows: dict[tuple[str, int], Row] = {}
    tried: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for outcome in outcomes:
        for part in outcome.subtasks:
            key = (part["eef"], part["index"])
            if key not in rows:
                rows[key] = {name: part[name] for name in ("eef", "index", "object", "signal")}
                rows[key] |= {"name": subtask_name(part), "tries": 0, "failures": 0}
                tried[key] = []
            rows[key]["tries"] += part["tries"]
            rows[key]["failures"] += part["failures"]
            tried[key] += part["tried"]
    return [row | _of_tries(tried[key]) for key, row in sorted(rows.items())]


def attempt_causes(outcomes: Iterable[Outcome]) -> list[Row]:
    """Why attempts failed: the subtask at which each ended, and the cause of its last try. The commonest first.

    Returns:
        subtask, cause, attempts.
    """
    counted = Counter(_last_cause(outcome) for outcome in outcomes if not outcome.success)
    return [
        {"subtask": subtask, "cause": cause, "attempts": number} for (subtask, cause), number in counted.most_common()
    ]


def _of_tries(tried: Sequence[Mapping[str, Any]]) -> Row:
    causes = Counter(one["cause"] for one in tried if one["cause"] is not None)
    sources: dict[str, dict[str, int]] = {}
    for one in tried:
        source = sources.setdefault(one["source_demo"], {"tries": 0, "reached": 0})
        source["tries"] += 1
        source["reached"] += one["cause"] is None
    return {
        "causes": [
            {"cause": cause, "tries": number, "means": explain(cause, tried)} for cause, number in causes.most_common()
        ],
        "sources": dict(sorted(sources.items(), key=lambda item: -item[1]["tries"])),
        "steps": sum(one["steps"] for one in tried),
    }


def _last_cause(outcome: Outcome) -> tuple[str, str]:
    """Subtask and cause of a failed attempt. The last subtask that was tried at all holds the try that ended it."""
    ended = [part for part in outcome.subtasks if part["tried"] and part["tried"][-1]["cause"] is not None]
    here = [part for part in ended if (part["signal"] or "final") == outcome.cause] or ended
    if not here:
        return (outcome.cause or "", outcome.cause or "")
    return subtask_name(here[-1]), here[-1]["tried"][-1]["cause"]
