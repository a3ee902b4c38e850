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

_SOON = 5
"""Control steps at the beginning of a subtask in which signals flicker."""


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
            env_ids = list(range(len(rows)))
            session.set_state(self._rows(rows), env_ids)
            signals = {name: value.tolist() for name, value in session.subtask_signals().items()}
            for env_id, row in zip(env_ids, rows.tolist(), strict=True):
                subtasks = self._subtasks({name: values[env_id] for name, values in signals.items()})
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

    def _subtasks(self, signals: Mapping[str, bool]) -> dict[str, int] | None:
        found = {eef: resumption.subtask(signals) for eef, resumption in self._resumptions.items()}
        if None in found.values() or (len(found) > 1 and any(found.values())):
            return None
        return {eef: index for eef, index in found.items() if index is not None}
