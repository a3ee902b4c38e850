"""Attempts that begin from given states of the scene instead of resets: after a mishap, or where a policy failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from apprentice.augment.planning.plan import Planner
from apprentice.augment.sources.demos import SourceDemo
from apprentice.augment.sources.segment import Boundaries
from apprentice.demos.start_states import StartStates
from apprentice.errors import UserError
from apprentice.poses import position

_SOON = 5
"""Control steps at the beginning of a subtask in which signals flicker."""
_OPENING_STEPS = 10
"""Control steps in which hands open."""
_HELD_M = 0.01
"""Displacement of an object from which on it was held by the hand that opened."""


class Resumption:
    """Knows with which subtask to go on, by the subtask signals.

    Before a subtask, what is to be done in it and later is not done yet; what is done just before it is done, and so is
    what still is in most source demos when they begin it. Signals of earlier subtasks that have passed by then, such as
    a grasp that was let go, may be either.
    """

    def __init__(self, demos: Sequence[SourceDemo], nominal: Boundaries, signals: Sequence[str | None]) -> None:
        """Look up what is done when.

        Args:
            demos: Source demos, D of them.
            nominal: Boundaries without offsets. Shape (D, S, 2).
            signals: Signal of each subtask's end. S of them.
        """
        self._not_yet = [[name for name in signals[index:] if name] for index in range(len(signals))]
        self._done: list[list[str]] = []
        for index, starts in enumerate(nominal[:, :, 0].T.tolist()):
            earlier = [name for name in signals[:index] if name]
            still = [name for name in earlier if _mostly(name, demos, starts)]
            self._done.append([name for name in earlier if name in (*still, signals[index - 1])])

    def subtask(self, signals: Mapping[str, bool]) -> int | None:
        """Number of the last subtask that may begin with such signals; None if none may."""
        fitting = (
            index
            for index, (done, not_yet) in enumerate(zip(self._done, self._not_yet, strict=True))
            if all(signals[name] for name in done) and not any(signals[name] for name in not_yet if name not in done)
        )
        return max(fitting, default=None)


def _mostly(signal: str, demos: Sequence[SourceDemo], starts: Sequence[int]) -> bool:
    """Whether a signal stays true in more than half of the demos after a subtask has begun."""
    still = sum(
        bool(demo.signals[signal][start : start + _SOON].all()) for demo, start in zip(demos, starts, strict=True)
    )
    return 2 * still > len(demos)


class Starts:
    """The given states from which source segments can go on."""

    def __init__(self, session: Any, planners: Mapping[str, Planner], starts: StartStates) -> None:
        """Find out with which subtask each of them goes on, by putting environments there.

        A state is left out if no subtask begins with its signals in the source demos; with several end effectors, if
        not all are at their beginning: what one hand has begun, the other may depend on.

        Raises:
            UserError: If they are of another scene, or none is left.
        """
        self._session = session
        mine, given = session.state().keys(), starts.states.keys()
        if mine != given:
            differing = ", ".join(sorted(mine ^ given))
            raise UserError(
                f"Expected start states of {session.task}, found those of another scene ({starts.task}; {differing})."
            )
        self._states = {key: torch.as_tensor(value) for key, value in starts.states.items()}
        self._resumptions = {
            eef: Resumption(
                planner.demos,
                planner.nominal,
                [*(one.subtask_term_signal for one in planner.subtasks[:-1]), None],
            )
            for eef, planner in planners.items()
        }
        self._usable: list[tuple[int, dict[str, int]]] = []
        for rows in torch.arange(len(starts)).split(session.num_envs):
            session.set_state(self._rows(rows), range(len(rows)))
            as_it_is = self._all_subtasks(len(rows))
            for row, *found in zip(rows.tolist(), as_it_is, self._with_open_hands(len(rows)), strict=True):
                subtasks = max(filter(None, found), key=lambda subtasks: sum(subtasks.values()), default=None)
                if subtasks is not None:
                    self._usable.append((row, subtasks))
        self.left_out = len(starts) - len(self._usable)
        """States from which no source segment goes on."""
        if not self._usable:
            raise UserError(
                f"Expected start states from which a subtask of the source demos can go on, found none among"
                f" {len(starts)}; see that they are of the task and variant of the source demos."
            )

    def begin(self, env_id: int, number: int) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
        """Put an environment into the state of an attempt.

        Returns:
            Observations of all environments, and the subtask with which each end effector begins.
        """
        row, subtasks = self._usable[number % len(self._usable)]
        return self._session.set_state(self._rows(torch.tensor([row])), [env_id]), subtasks

    def _rows(self, rows: Tensor) -> dict[str, Tensor]:
        return {key: value[rows] for key, value in self._states.items()}

    def _all_subtasks(self, count: int) -> list[dict[str, int] | None]:
        """The subtasks with which the first environments go on, by the signals as they are now."""
        signals = {name: value.tolist() for name, value in self._session.subtask_signals().items()}
        return [self._subtasks({name: values[row] for name, values in signals.items()}) for row in range(count)]

    def _with_open_hands(self, count: int) -> list[dict[str, int] | None]:
        """The same after hands have opened that hold nothing; None for others.

        What was done before may not count while a hand is closed, although it holds nothing: after a grasp that
        missed, a stack does not count as built in Isaac Lab, which asks for an open gripper.
        """
        session = self._session
        active = torch.arange(session.num_envs) < count
        before = {name: pose.clone() for name, pose in session.object_poses().items()}
        for _ in range(_OPENING_STEPS):
            session.step(session.neutral_actions(), active)
        held = torch.zeros(session.num_envs, dtype=torch.bool)
        for name, pose in session.object_poses().items():
            held |= ((position(pose) - position(before[name])).norm(dim=-1) > _HELD_M).cpu()
        found = self._all_subtasks(count)
        return [None if gone else subtasks for gone, subtasks in zip(held[:count].tolist(), found, strict=True)]

    def _subtasks(self, signals: Mapping[str, bool]) -> dict[str, int] | None:
        found = {eef: resumption.subtask(signals) for eef, resumption in self._resumptions.items()}
        if None in found.values() or (len(found) > 1 and any(found.values())):
            return None
        return {eef: index for eef, index in found.items() if index is not None}
