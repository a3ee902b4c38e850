"""Draws the progress of long work: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from apprentice.progress import Progress

LOG_EVERY_S = 10.0
"""Time between lines where there is no terminal."""


class _Log:
    def __init__(self, title: str) -> None:
        self._title, self._start, self._last = title, time.monotonic(), 0.0

    def update(self, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if now - self._last < LOG_EVERY_S and done < total:
            return
        self._last = now
        elapsed = now - self._start
        left = f", {elapsed / done * (total - done):.0f} s left" if 0 < done < total else ""
        sys.stdout.write(f"{self._title}: {done}/{total} in {elapsed:.0f} s{left}{'  ' + note if note else ''}\n")
        sys.stdout.flush()


@contextlib.contextmanager
def drawn(title: str) -> Iterator[Progress]:
    """A `Progress` for work called `title`."""
    if not sys.stdout.isatty():
        yield _Log(title)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bars(*columns) as bars:
        task = bars.add_task(title, total=None, note="")

        class _Bar:
            def update(self, done: int, total: int, note: str = "") -> None:
                bars.update(task, completed=done, total=total, note=note)

        yield _Bar()
