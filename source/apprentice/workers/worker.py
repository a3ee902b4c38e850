"""What runs in each process: something that is opened once and then does numbered jobs, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Numbered(Protocol):
    """A job, or the result of the job of that number."""

    @property
    def number(self) -> int: ...


class Worker[Job: Numbered, Result: Numbered](Protocol):
    """Does jobs. One process has one of these, a `Pool` is one made of many."""

    @property
    def slots(self) -> int:
        """Jobs that are under way at once."""
        ...

    @property
    def facts(self) -> Any:
        """What whoever gives the jobs wants to know; equal in all workers of a pool."""
        ...

    def run(self, next_job: Callable[[], Job | None]) -> Iterator[Result]:
        """Do jobs until there are none left.

        Args:
            next_job: Gives the next job, or None if none is wanted at present. Asked again and again while there is
                room for more.

        Yields:
            Results in the order in which they come. What a job's result is must depend on the job alone.
        """
        ...


class Open[Job: Numbered, Result: Numbered](Protocol):
    """Makes a worker, in the process that it will work in. Must be picklable."""

    def __call__(self) -> AbstractContextManager[Worker[Job, Result]]: ...
