"""The attempts of a run on disk, one line each by number, so that a killed run continues where it was."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from apprentice.errors import UserError

from .attempt import Outcome


def journal_path(output: Path) -> Path:
    """Where the attempts of a demo file stand."""
    return output.with_name(output.name + ".attempts.jsonl")


@dataclass(frozen=True)
class Line:
    """One attempt, and when it was written."""

    outcome: Outcome
    run: int
    """Which start of the generator: 0, and one more after each interruption."""
    seconds: float
    """Since that start."""


def read_journal(output: Path) -> list[Line]:
    """Attempts of the run that made `output`; none if there is no journal.

    Raises:
        UserError: If the journal is damaged.
    """
    path = journal_path(output)
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()  # what a kill left of a line
    try:
        rows = [json.loads(line) for line in lines]
        read = [Line(Outcome(**row["outcome"]), int(row["run"]), float(row["seconds"])) for row in rows]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path}: expected one attempt a line, found something else ({error}); choose another output."
        ) from error
    if [line.outcome.number for line in read] != list(range(len(read))):
        raise UserError(f"{path}: expected attempts numbered from 0, found others; choose another output.")
    return read


class Journal:
    """The only writer of one run's attempts. Whoever opens it holds the demo file's lock."""

    def __init__(self, output: Path) -> None:
        """Go on with the journal of `output`, or begin it."""
        path = journal_path(output)
        self.lines = read_journal(output)
        self._run = 1 + max((line.run for line in self.lines), default=-1)
        self._began = time.monotonic()
        if path.exists():
            with path.open("r+b") as file:
                file.truncate(path.read_bytes().rfind(b"\n") + 1)  # a torn line
        self._file: IO[str] = path.open("a", encoding="utf-8")

    def append(self, outcome: Outcome) -> None:
        """Add an attempt; it survives a kill once this returns."""
        line = Line(outcome, self._run, round(time.monotonic() - self._began, 3))
        self._file.write(json.dumps(asdict(line)) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.lines.append(line)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
