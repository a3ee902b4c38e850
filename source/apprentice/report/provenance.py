"""What made the numbers: machine, versions, seeds and files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from apprentice.report.fields import Json, number_in, object_in
from apprentice.report.page import Section, facts, figure, grid, missing
from apprentice.report.results import RunResults
from apprentice.report.words import count, date, duration

Rows = list[tuple[str, str]]


def provenance(run: RunResults) -> Section:
    """Everything the result files say about how they came about."""
    groups: dict[str, Rows] = {
        "Run": _of(run.summary, ("task", "variant", "backend", "created", "seed", "seeds", "physics_fingerprint")),
        "Machine": _of(run.summary, ("machine",)) or _of(run.evaluation, ("machine",)),
        "Versions": _of(run.summary, ("versions",)) or _of(run.evaluation, ("versions",)),
        "Configuration": _of(run.summary, ("config",)),
        "Time by stage": _times(object_in(run.summary, "stage_seconds")),
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


def _of(source: Json, keys: tuple[str, ...]) -> Rows:
    """Names and values; the fields of an object go without its name."""
    rows: Rows = []
    for key in keys:
        fields = object_in(source, key)
        rows += [row for name in fields for row in _flat(name, fields[name])] or _flat(key, source.get(key))
    return rows


def _times(stages: Json) -> Rows:
    return [(_plain(name), duration(seconds)) for name in stages if (seconds := number_in(stages, name)) is not None]


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Names and values; the fields of an object come with its name before theirs."""
    if isinstance(value, dict):
        for inner_name, inner in cast(Json, value).items():
            yield from _flat(f"{name} {inner_name}", inner)
    elif isinstance(value, list):
        yield _plain(name), ", ".join(map(str, cast(list[Any], value)))
    elif value is not None:
        yield _plain(name), date(value) if name == "created" else str(value)


def _files(run: RunResults) -> Rows:
    rows: Rows = []
    for path in run.files:
        state = path.stat()
        name = path.relative_to(run.directory).as_posix()
        rows.append((name, f"{count(state.st_size)} bytes, {date(state.st_mtime)}"))
    return rows


def _plain(key: str) -> str:
    return "checkpoint (SHA-256)" if key == "checkpoint_sha256" else key.replace("_", " ")
