"""The course of one attempt: which subtask each end effector is in, what was tried, and where to go back to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from apprentice.demos import Tree

from .explain.causes import Cause
from .lessons import NO_LESSONS, Lessons

if TYPE_CHECKING:  # these import torch, which whoever only reads outcomes does without
    import numpy as np
    from numpy.typing import NDArray

    from .planning.plan import Plan, Planner
    from .sources.segment import Boundaries


@dataclass(frozen=True)
class ArmState:
    """Where one end effector stands."""

    subtask: int
    """Number of its subtask."""
    plan: Plan | None
    """What it is playing; None when it needs a plan, or waits for others to be ready."""
    cursor: int
    """Next step of the plan."""


@dataclass(frozen=True)
class Mark:
    """The moment at which end effectors began subtasks, just before they had plans."""

    snapshot: Any
    """State of some environments at that time."""
    place: int
    """The environment's place among them."""
    step: int
    """Recorded control steps up to then."""
    arms: Mapping[str, ArmState]
    """All end effectors at that time."""


@dataclass(frozen=True)
class FailedTry:
    """A try that failed, to look at."""

    eef: str
    subtask: int
    cause: Cause
    source_demo: str
    actions: NDArray[np.float32]
    """Shape (T, A)."""
    data: Tree
    """States by path: before the first step and after each."""


@dataclass
class Attempt:
    """One reset of one environment by the generator."""

    number: int
    """Its number."""
    seed: int
    """Of its initial state."""
    rng: np.random.Generator
    """Draws everything that is random in this attempt."""
    initial_objects: dict[str, list[float]]
    """x, y (m) and yaw (rad) of each object after the reset, environment frame."""
    arms: dict[str, ArmState]
    """Each end effector now."""
    lessons: Lessons = NO_LESSONS
    """What it knows of earlier attempts."""
    boundaries: dict[str, Boundaries] = field(default_factory=dict)
    """Segment boundaries in use, per end effector."""
    marks: dict[tuple[str, int], Mark] = field(default_factory=dict)
    """Where each subtask began, per end effector and subtask."""
    played: dict[tuple[str, int], Plan] = field(default_factory=dict)
    """The plan that was played last for each subtask."""
    failed: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    """Source demos that failed since the subtask's snapshot was taken."""
    tries: dict[tuple[str, int], int] = field(default_factory=dict)
    """Plans begun per subtask, all together."""
    failures: dict[tuple[str, int], int] = field(default_factory=dict)
    """Those of them that did not reach the subtask's end."""
    tried: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=dict)
    """What became of each try of each subtask, in order, as `Outcome.subtasks` holds it."""
    failed_tries: list[FailedTry] = field(default_factory=list)
    """The first try that failed for each cause, per subtask."""
    used: dict[tuple[str, int], dict[tuple[int, int], list[int]]] = field(default_factory=dict)
    """Tries and failures per subtask, source demo and pose region."""
    step_backs: int = 0
    """Times it returned to an earlier subtask."""
    env_steps: int = 0
    """Control steps simulated, discarded tries included."""
    success_any_step: bool = False
    """Whether the success term was true at any of them."""

    def note_used(self, key: tuple[str, int], *, failed: bool) -> None:
        """Count a try, or a failure, for the segment that was played last for a subtask."""
        plan = self.played[key]
        counts = self.used.setdefault(key, {}).setdefault((plan.demo, plan.region), [0, 0])
        counts[failed] += 1

    def rewind(self, keys: Collection[tuple[str, int]]) -> Mark:
        """Take all end effectors back to where the first of some subtasks began.

        Those subtasks need new plans. Others that began at the same moment play theirs again.
        """
        mark = min((self.marks[key] for key in keys if key in self.marks), key=lambda mark: mark.step)
        for eef, arm in mark.arms.items():
            key = (eef, arm.subtask)
            again = arm.plan is None and key not in keys and self.marks.get(key) is mark
            self.arms[eef] = ArmState(arm.subtask, self.played[key], 0) if again else arm
        # what began later did not happen
        self.marks = {key: known for key, known in self.marks.items() if known.step <= mark.step}
        return mark


@dataclass(kw_only=True, frozen=True)
class Outcome:
    """A finished attempt."""

    number: int
    seed: int
    """Of the initial state."""
    success: bool
    """Held success."""
    success_any_step: bool
    length: int
    """Control steps of the episode that was kept."""
    env_steps: int
    """Control steps simulated for it."""
    cause: str | None
    """Signal of the subtask that failed, "final" for held success, None for a success."""
    step_backs: int
    initial_objects: dict[str, list[float]]
    subtasks: list[dict[str, Any]]
    """Per end effector and subtask: eef, index, object, signal, tries, failures; those two by segment and pose region
    as "used", rows of source demo, source demo that starts nearest, tries, failures; "tried", which says of each try in
    order its source_demo, its steps and the cause of its failure (None if it reached its end), with the object and by
    how much it was off; and of the try that was kept: step (of the episode, at which it began), source_demo, start,
    end, offset, bridge_steps, bridge (how it was found), problem (why it was not played)."""


@dataclass(frozen=True)
class Finished:
    """An attempt that ended, with what was recorded."""

    outcome: Outcome
    actions: NDArray[np.float32]
    """What is to be learnt, or what was given to the environment: as `NoiseCfg.labels`. Shape (T, A), float32."""
    data: Tree
    """Everything else, by path."""
    failed_tries: tuple[FailedTry, ...] = ()
    """The first try that failed for each cause, per subtask."""

    @property
    def number(self) -> int:
        """Of the attempt."""
        return self.outcome.number


def describe_subtasks(attempt: Attempt, planner: Planner) -> list[dict[str, Any]]:
    """What an attempt did in each subtask of one end effector, as `Outcome.subtasks` holds it."""
    return [_describe(attempt, planner, index) for index in range(len(planner.subtasks))]


def _describe(attempt: Attempt, planner: Planner, index: int) -> dict[str, Any]:
    key, subtask = (planner.eef, index), planner.subtasks[index]
    described: dict[str, Any] = {
        "eef": planner.eef,
        "index": index,
        "object": subtask.object_ref,
        "signal": subtask.subtask_term_signal,
        "tries": attempt.tries.get(key, 0),
        "failures": attempt.failures.get(key, 0),
        "tried": attempt.tried.get(key, []),
        "used": [
            [planner.demos[demo].name, planner.demos[region].name, *counts]
            for (demo, region), counts in attempt.used.get(key, {}).items()
        ],
    }
    plan = attempt.played.get(key)
    if plan is None:
        return described
    return described | {
        "step": attempt.marks[key].step if key in attempt.marks else None,
        "source_demo": planner.demos[plan.demo].name,
        "start": plan.start,
        "end": plan.end,
        "offset": plan.end - int(planner.nominal[plan.demo, index, 1]),
        "bridge_steps": plan.bridge_steps,
        "bridge": plan.bridge,
        "problem": plan.problem,
    }
