"""Saves demos in a thread of its own, so that nobody who drives ever waits for a disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from apprentice.demos import Demo, DemoWriter
from apprentice.errors import UserError


@dataclass(kw_only=True, frozen=True)
class Saved:
    """A demo that is on disk."""

    name: str
    """Its name."""
    group: str
    """Where it is: "data", or "failed"."""
    seconds: float
    """How long it is."""
    success: bool
    """Whether it succeeded."""


@dataclass(frozen=True)
class _Save:
    demo: Demo
    group: str
    seconds: float


class Saver:
    """Writes what it is given, in order. What a full disk refuses is kept and tried again."""

    def __init__(self, writer: DemoWriter) -> None:
        """Args: writer: Used by this thread only, until `close`."""
        self._writer = writer
        self._jobs: queue.Queue[_Save | Callable[[], None] | None] = queue.Queue()
        self._refused: list[_Save] = []
        self._done: list[Saved] = []
        self._demos = writer.num_demos
        self._lock = threading.Lock()
        self.file = writer.path
        """The demo file."""
        self.discarded = 0
        """Episodes that were not saved as demos; counted by whoever decides."""
        self.message = ""
        """What went wrong last, or what was done, in words."""
        self._thread = threading.Thread(target=self._run, name="saver", daemon=True)
        self._thread.start()

    @property
    def demos(self) -> int:
        """Demos in "data", those that are about to be there included."""
        with self._lock:
            return self._demos

    @property
    def last(self) -> Saved | None:
        """What was saved last by this run, and not taken back."""
        return self._done[-1] if self._done else None

    @property
    def can_undo(self) -> bool:
        """Whether there is a demo to take back."""
        return any(saved.group == "data" for saved in self._done)

    def save(self, demo: Demo, group: str, seconds: float) -> None:
        """Save a demo soon."""
        with self._lock:
            self._demos += group == "data"
        self._jobs.put(_Save(demo, group, seconds))

    def undo(self) -> None:
        """Take the demo that was saved last out of "data" soon."""
        self._jobs.put(self._undo)

    def flush(self) -> None:
        """Wait until everything was tried."""
        done = threading.Event()
        self._jobs.put(done.set)
        done.wait()

    def close(self) -> None:
        """Wait until everything is on disk. No more is saved then.

        Raises:
            UserError: If something cannot be saved.
        """
        self._jobs.put(None)
        self._thread.join()
        for refused in self._refused:
            self._writer.append(refused.demo, refused.group)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                if isinstance(job, _Save):
                    self._refused.append(job)
                    self._save_all()
                else:
                    job()
            except UserError as error:
                self.message = str(error)

    def _save_all(self) -> None:
        while self._refused:
            job = self._refused[0]
            name = self._writer.append(job.demo, job.group)
            del self._refused[0]
            saved = Saved(name=name, group=job.group, seconds=job.seconds, success=job.demo.success)
            self._done.append(saved)
            self.message = f"{name} is saved" + ("." if job.group == "data" else f" among the {job.group} ones.")

    def _undo(self) -> None:
        last = next((saved for saved in reversed(self._done) if saved.group == "data"), None)
        if last is not None:
            self._writer.retract(last.name)
            with self._lock:
                self._demos -= 1
            self._done.remove(last)
            self.message = f"{last.name} was taken back."
