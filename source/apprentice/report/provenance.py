"""What made the numbers: machine, versions, seeds and files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from apprentice.report.page import Section, facts, figure, grid, missing
from apprentice.report.results import RunResults
from apprentice.report.words import count, date

Rows = list[tuple[str, str]]


def provenance(run: RunResults) -> Section:
    """Everything the result files say about how they came about."""
    groups: dict[str, Rows] = {
        "Run": _of(run.summary, ("task", "variant", "backend", "created", "seed", "seeds", "physics_fingerprint")),
        "Machine": _of(run.summary, ("machine",)) or _of(run.evaluation, ("machine",)),
        "Versions": _of(run.summary, ("versions",)) or _of(run.evaluation, ("versions",)),
        "Evaluation": _of(run.evaluation, ("task", "variant", "backend", "seed", "checkpoint_sha256")),
    }
    for name, stats in run.augmentations.items():
        groups[f"Augmentation: {name}"] = _of(stats, ("task", "variant", "backend", "seed", "source_file", "workers"))
    groups["Result files"] = _files(run)
    cards = [figure(facts(rows), title) for title, rows in groups.items() if rows]
    body = grid(cards)
    for problem in run.unreadable:
        body += missing(f"Left out because it could not be read: {problem}.")
    return Section("provenance", "Provenance", "", body)


def _of(source: dict[str, Any], keys: tuple[str, ...]) -> Rows:
    return [row for key in keys if key in source for row in _flat(key, source[key])]


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Names and values; those of an object stand for themselves."""
    name = _plain(key)
    if isinstance(value, dict):
        for inner_key, inner in cast(dict[str, Any], value).items():
            yield from _flat(str(inner_key), inner)
    elif isinstance(value, list):
        yield name, ", ".join(map(str, cast(list[Any], value)))
    elif value is not None:
        yield name, date(value) if key == "created" else str(value)


def _files(run: RunResults) -> Rows:
    rows: Rows = []
    for path in run.files:
        state = path.stat()
        name = path.relative_to(run.directory).as_posix()
        rows.append((name, f"{count(state.st_size)} bytes, {date(state.st_mtime)}"))
    return rows


def _plain(key: str) -> str:
    return "checkpoint (SHA-256)" if key == "checkpoint_sha256" else key.replace("_", " ")
