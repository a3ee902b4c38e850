"""The attempts of a run on disk, one line each by number, so that a killed run continues where it was."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Literal

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
    """Since it began to generate."""
    wall_seconds: float
    """Since it was started: with the time that the simulator took to start."""


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
        read = [
            Line(Outcome(**row["outcome"]), int(row["run"]), float(row["seconds"]), float(row["wall_seconds"]))
            for row in rows
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path}: expected one attempt a line, found something else ({error}); choose another output."
        ) from error
    if [line.outcome.number for line in read] != list(range(len(read))):
        raise UserError(f"{path}: expected attempts numbered from 0, found others; choose another output.")
    return read


def last_of_runs(lines: Sequence[Line], clock: Literal["seconds", "wall_seconds"]) -> list[float]:
    """How long each run was when it wrote its last line."""
    last: dict[int, float] = {}
    for line in lines:
        last[line.run] = max(getattr(line, clock), last.get(line.run, 0.0))
    return list(last.values())


class Journal:
    """The only writer of one run's attempts. Whoever opens it holds the demo file's lock."""

    def __init__(self, output: Path, start_seconds: float = 0.0) -> None:
        """Go on with the journal of `output`, or begin it.

        Args:
            output: The demo file.
            start_seconds: How long the start of the generator took.
        """
        path = journal_path(output)
        self.lines = read_journal(output)
        self._run = 1 + max((line.run for line in self.lines), default=-1)
        self._began, self._start_seconds = time.monotonic(), start_seconds
        self._wall_before = sum(last_of_runs(self.lines, "wall_seconds"))
        if path.exists():
            with path.open("r+b") as file:
                file.truncate(path.read_bytes().rfind(b"\n") + 1)  # a torn line
        self._file: IO[str] = path.open("a", encoding="utf-8")

    @property
    def wall_seconds(self) -> float:
        """Time spent until now, all runs together, the generator's starts included."""
        return self._wall_before + self._start_seconds + time.monotonic() - self._began

    def append(self, outcome: Outcome) -> None:
        """Add an attempt; it survives a kill once this returns."""
        seconds = time.monotonic() - self._began
        line = Line(outcome, self._run, round(seconds, 3), round(self._start_seconds + seconds, 3))
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
