"""The smallest worker there is, in a module that is quick to import."""

import contextlib
import os
import signal
from dataclasses import dataclass

from apprentice.errors import UserError


@dataclass(frozen=True)
class Doubled:
    number: int
    value: int


class Doubler:
    """Doubles the numbers of its jobs."""

    slots, facts = 2, "doubles"

    def run(self, next_job):
        while (job := next_job()) is not None:
            if job.number == 13:
                raise UserError("Expected another number, found 13.")
            if job.number == 17:
                os.kill(os.getpid(), signal.SIGKILL)
            yield Doubled(job.number, 2 * job.number)


@contextlib.contextmanager
def open_doubler():
    yield Doubler()


@contextlib.contextmanager
def open_nothing():
    raise UserError("Expected a simulator, found none.")
    yield


@dataclass(frozen=True)
class Job:
    number: int
