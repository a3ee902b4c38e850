"""Many workers that act as one. A worker that dies, or whose machine does, costs the jobs it had under way: others do
them again."""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from apprentice.errors import UserError

from .ray_session import ray_session
from .worker import Numbered, Open

_SPARE = 8
"""Jobs that a worker has beyond those under way, so that it never waits for its next one."""
_CALLS = 2
"""Calls to a worker that wait for an answer at once: it goes on with the second while the first one's is fetched."""
_DEATHS_PER_JOB = 5
"""A job that so many workers died of is taken to be the reason."""
_FAREWELL_S = 10.0
_PULSE_S = 20.0
"""Silence after which Ray is looked at."""
_STARTS = 3
"""A worker that dies so often before it is open is not started again."""


@dataclass(eq=False)
class _Hand[Job]:
    """One worker, seen from outside."""

    actor: Any
    slots: int = 0
    """0 until it is open."""
    jobs: dict[int, Job] = field(default_factory=dict)
    """What it was given and has not finished, by number."""
    outbox: list[Job] = field(default_factory=list)
    """Those of them that are not sent yet."""
    calls: int = 0
    failed_starts: int = 0


class Pool[Job: Numbered, Result: Numbered]:
    """A worker made of many, each in a process of its own. A context manager."""

    def __init__(
        self, open_worker: Open[Job, Result], workers: int | None, *, cluster: str | None = None, threads: int = 1
    ) -> None:
        """Plan a pool.

        Args:
            open_worker: Makes a worker, in its process.
            workers: How many; as many as the cluster has cores for if None.
            cluster: Address of a Ray cluster; None keeps to this machine.
            threads: Processor cores that a worker takes.
        """
        self._open_worker, self._workers = open_worker, workers
        self._cluster, self._threads = cluster, threads
        self._exit = contextlib.ExitStack()
        self._ray: Any = None
        self._hands: list[_Hand[Job]] = []
        self._calls: dict[Any, _Hand[Job]] = {}
        """Hand that each answer is awaited from."""
        self._returned: deque[Job] = deque()
        """Jobs of workers that died."""
        self._deaths: Counter[int] = Counter()
        """How many workers died while they had each job."""
        self._facts: Any = None

    def __enter__(self) -> Pool[Job, Result]:
        """Start the workers, and wait for the first one.

        Raises:
            UserError: If there is no such cluster, or no worker can start.
        """
        cores = self._threads * (self._workers or 1)
        self._ray = self._exit.enter_context(ray_session(self._cluster, cores))
        try:
            if self._workers is None:
                self._workers = max(1, int(self._ray.cluster_resources().get("CPU", 1)) // self._threads)
            for _ in range(self._workers):
                self._hands.append(self._hire())
            while not self.slots:
                self._listen()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # calls that fail when a worker is gone: Ray does not like to be left while it kills
        farewells = [hand.actor.go_on.remote([]) for hand in self._hands]
        for hand in self._hands:
            self._ray.kill(hand.actor)
        if farewells:
            self._ray.wait(farewells, num_returns=len(farewells), timeout=_FAREWELL_S)
        self._exit.close()

    @property
    def workers(self) -> int:
        """Workers that are there or on their way."""
        return len(self._hands)

    @property
    def slots(self) -> int:
        """Jobs that are under way at once, in the workers that are open so far."""
        return sum(hand.slots for hand in self._hands)

    @property
    def facts(self) -> Any:
        """What the first worker said about itself."""
        return self._facts

    def run(self, next_job: Callable[[], Job | None]) -> Iterator[Result]:
        """Do jobs until there are none left, as `Worker.run`.

        Raises:
            UserError: If a worker raised it, workers differ in their facts, or workers die of a job again and again.
        """
        while True:
            self._deal(next_job)
            if not any(hand.jobs for hand in self._hands) and not self._returned:
                return
            yield from self._listen()

    def _hire(self) -> _Hand[Job]:
        options = {
            "num_cpus": self._threads,
            "scheduling_strategy": "SPREAD",  # over the machines
            "max_restarts": 0,
            "max_task_retries": 0,
        }
        hand: _Hand[Job] = _Hand(self._ray.remote(**options)(_Process).remote())
        self._calls[hand.actor.open.remote(self._open_worker)] = hand
        return hand

    def _deal(self, next_job: Callable[[], Job | None]) -> None:
        """Give jobs to those who have fewest, and send them where a call is due."""
        open_hands = [hand for hand in self._hands if hand.slots]
        while open_hands:
            hand = min(open_hands, key=lambda one: len(one.jobs) / one.slots)
            if len(hand.jobs) >= hand.slots + _SPARE:
                break
            job = self._returned.popleft() if self._returned else next_job()
            if job is None:
                break
            hand.jobs[job.number] = job
            hand.outbox.append(job)
        for hand in open_hands:
            while hand.jobs and hand.calls < _CALLS:
                self._calls[hand.actor.go_on.remote(hand.outbox)] = hand
                hand.outbox, hand.calls = [], hand.calls + 1

    def _listen(self) -> list[Result]:
        """Wait until a worker has something to say. Returns results, if that is what it was."""
        call = self._next_answer()
        hand = self._calls.pop(call)
        try:
            answer = self._ray.get(call)
        except self._ray.exceptions.RayTaskError as error:
            raise (error.cause or error) from None
        except self._ray.exceptions.RayError as error:  # it, its machine, or what it said is lost
            self._replace(hand, error)
            return []
        if not hand.slots:
            hand.slots, facts = answer
            self._compare(facts)
            return []
        hand.calls -= 1
        for result in answer:
            del hand.jobs[result.number]
        return answer

    def _next_answer(self) -> Any:
        while True:
            ready, _ = self._ray.wait(list(self._calls), num_returns=1, timeout=_PULSE_S)
            if ready:
                return ready[0]
            here = self._ray.get_runtime_context().get_node_id()
            if not any(node["Alive"] for node in self._ray.nodes() if node["NodeID"] == here):
                raise UserError(
                    "Expected Ray to stay on this machine, found that it stopped; the same command goes on from what "
                    "was saved."
                )

    def _replace(self, hand: _Hand[Job], error: Exception) -> None:
        """Take the jobs of a worker that died back, and start another one in its place."""
        if hand not in self._hands:
            return
        self._ray.kill(hand.actor)
        self._calls = {call: other for call, other in self._calls.items() if other is not hand}
        self._returned.extend(hand.jobs[number] for number in sorted(hand.jobs))
        self._deaths.update(hand.jobs.keys())
        if hand.jobs and max(self._deaths[number] for number in hand.jobs) >= _DEATHS_PER_JOB:
            raise UserError(
                f"Expected workers to live, found that {_DEATHS_PER_JOB} of them died at the same jobs, the last one "
                f"because {_reason(error)}; try fewer workers or fewer environments each."
            )
        self._hands.remove(hand)
        starts = 0 if hand.slots else hand.failed_starts + 1
        if starts < _STARTS:
            other = self._hire()
            other.failed_starts = starts
            self._hands.append(other)
        elif not self._hands:
            raise UserError(f"Expected a worker to start, found that {starts} died while they did: {_reason(error)}.")

    def _compare(self, facts: Any) -> None:
        if self._facts is None:
            self._facts = facts
        elif facts != self._facts:
            raise UserError(
                f"Expected all workers to be alike, found {facts} beside {self._facts}; install the same versions on "
                "all machines."
            )


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


class _Process:
    """What Ray keeps in a worker's process."""

    def __init__(self) -> None:
        self._worker: Any = None
        self._exit = contextlib.ExitStack()
        self._queue: deque[Any] = deque()
        self._results: Iterator[Any] = iter(())

    def open(self, open_worker: Open[Any, Any]) -> tuple[int, Any]:
        """Make the worker. Returns its slots and its facts."""
        self._worker = self._exit.enter_context(open_worker())
        return self._worker.slots, self._worker.facts

    def go_on(self, jobs: list[Any]) -> list[Any]:
        """Take jobs, and work until one of those under way is finished. Empty if there are none."""
        self._queue.extend(jobs)
        for _ in range(2):  # a run that had come to its end is begun again
            for result in self._results:
                return [result]
            self._results = self._worker.run(lambda: self._queue.popleft() if self._queue else None)
        return []
