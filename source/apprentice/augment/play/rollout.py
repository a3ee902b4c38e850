"""Plays attempts in all environments at once: each has plans of its own, and begins the next attempt when one ends.

The parts: `planning` gives end effectors plans, `waiting` lets them wait for each other, `recording` keeps what they
do, `judge` sees what ended and how, and `retry` says where to go back to. All work on one `RolloutState`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apprentice.augment.attempt import ArmState, Attempt, Finished, Mark, Outcome, describe_subtasks
from apprentice.augment.cfg import AugmentCfg
from apprentice.augment.lessons import Assignment
from apprentice.augment.planning.plan import Planner
from apprentice.tasks.eef_maps import target_to_action

from .judge import FINAL, Judge, Verdicts
from .make_plans import PlanMaker
from .randomise import draw_physics
from .recording import Recording
from .retry import go_back, note_failure
from .starts import Starts
from .state import RolloutState
from .waiting import set_gates
from .witness import Witness

_ENVS_PER_RESET = 32
"""Environments per one that must be free before attempts begin: resetting four takes little longer than resetting one,
and waiting costs a hundredth of the time."""
_OWED_DRAWS = 12
"""Initial states that are drawn to find one in a cell that owes a success; then the first is taken. Each costs a reset.
"""


class Rollout:
    """All environments of a session, generating."""

    def __init__(
        self, session: Any, planners: Mapping[str, Planner], cfg: AugmentCfg, starts: Starts | None = None
    ) -> None:
        """Prepare buffers.

        Args:
            session: An open Mimic task.
            planners: One per end effector.
            cfg: Options.
            starts: Where attempts begin; None lets them begin from resets.
        """
        self._session = session
        self._starts = starts
        self._planners = planners
        self._cfg = cfg
        self._state = RolloutState(session, planners, cfg)
        self._plan_maker = PlanMaker(self._state)
        self._recording = Recording(session)
        self._judge = Judge(self._state)
        self._witness = Witness(self._state, self._recording)
        longest = max(int(planner.nominal[:, -1, 1].max()) for planner in planners.values())
        self._begin_together = max(1, session.num_envs // _ENVS_PER_RESET)
        self._most_effort = 0.0 if cfg.retry is None else cfg.retry.effort * longest

    def run(self, next_attempt: Callable[[], Assignment | None]) -> Iterator[Finished]:
        """Play attempts until there are none left.

        Args:
            next_attempt: Gives the next attempt, or None if none is wanted at present. Asked again after every step
                while an environment is free.

        Yields:
            Attempts in the order in which they end.
        """
        while True:
            self._begin_attempts(next_attempt)
            if not bool(self._state.active.any()):
                return
            beginning = self._plan_maker.beginning()
            self._mark(beginning)
            self._plan_maker.make_plans(beginning)
            set_gates(self._state)
            self._advance()
            yield from self._act_on(self._judge.judge(self._recording.lengths))

    def _begin_attempts(self, next_attempt: Callable[[], Assignment | None]) -> None:
        state = self._state
        beginning: dict[int, Assignment] = {}
        free = (~state.active).nonzero().flatten().tolist()
        if len(free) < self._begin_together:
            return
        for env_id in free:
            assignment = next_attempt()
            if assignment is None:
                break
            beginning[env_id] = assignment
        if not beginning:
            return
        env_ids = list(beginning)
        seeds, subtasks = self._reset(beginning)
        objects, cfg = self._session.task_info.objects, self._cfg
        numbers = [assignment.number for assignment in beginning.values()]
        physics = [draw_physics(cfg.seed, number, objects, cfg.randomise) for number in numbers]
        self._session.set_physics(env_ids, physics)
        state.simulated[env_ids] = 0
        state.active[env_ids] = True
        self._judge.begin(env_ids)
        self._recording.begin(env_ids)
        for env_id, assignment in beginning.items():
            state.attempts[env_id] = Attempt(
                number=assignment.number,
                seed=seeds[env_id],
                rng=np.random.default_rng([self._cfg.seed, assignment.number]),
                initial_objects=self._initial_objects(env_id),
                lessons=assignment.lessons,
                arms={eef: ArmState(subtasks[env_id].get(eef, 0), None, 0) for eef in self._planners},
            )
            for eef in self._planners:
                state.rest(env_id, eef)

    def _reset(self, beginning: Mapping[int, Assignment]) -> tuple[dict[int, int], dict[int, dict[str, int]]]:
        """Put environments into initial states.

        Returns:
            The seed of each environment's, and the subtasks that end effectors begin with, where not with the first.
        """
        subtasks: dict[int, dict[str, int]] = {env_id: {} for env_id in beginning}
        seeds = {env_id: self._cfg.seed + assignment.number for env_id, assignment in beginning.items()}
        self._state.obs = self._session.reset(list(seeds), list(seeds.values()))
        for env_id, assignment in beginning.items():
            if self._starts is not None:
                self._state.obs, subtasks[env_id] = self._starts.begin(env_id, assignment.number)
                continue
            owed = assignment.lessons.owed
            if owed is None or assignment.number % self._cfg.learn.owed_every:
                continue
            others = np.random.default_rng([self._cfg.seed, assignment.number, 1]).integers(2**31, size=_OWED_DRAWS)
            for seed in (*others.tolist(), seeds[env_id]):
                if owed.owes(self._initial_objects(env_id)):
                    break
                self._state.obs = self._session.reset([env_id], [seed])
                seeds[env_id] = seed
        return seeds, subtasks

    def _initial_objects(self, env_id: int) -> dict[str, list[float]]:
        return {name: _x_y_yaw(pose) for name, pose in self._state.scene(env_id).objects.items()}

    def _mark(self, beginning: Mapping[int, list[str]]) -> None:
        """Take a snapshot of environments in which end effectors begin subtasks, for the first time or elsewhere."""
        new: dict[int, list[str]] = {}
        for env_id, eefs in beginning.items():
            attempt = self._state.attempt(env_id)
            names = [eef for eef in eefs if (eef, attempt.arms[eef].subtask) not in attempt.marks]
            if names:
                new[env_id] = names
        if not new:
            return
        snapshot = self._session.snapshot(list(new))
        for place, (env_id, names) in enumerate(new.items()):
            attempt = self._state.attempt(env_id)
            for name, arm in attempt.arms.items():
                attempt.arms[name] = replace(arm, cursor=int(self._state.batches[name].cursor[env_id]))
            mark = Mark(snapshot, place, int(self._recording.lengths[env_id]), dict(attempt.arms))
            for name in names:
                key = (name, attempt.arms[name].subtask)
                attempt.marks[key] = mark
                attempt.failed[key] = []

    def _advance(self) -> None:
        """One control step of all active environments, recorded."""
        state = self._state
        current = {eef: batch.current() for eef, batch in state.batches.items()}
        targets, grippers = ({eef: pair[part] for eef, pair in current.items()} for part in (0, 1))
        actions = labels = self._actions(targets, grippers)
        if self._cfg.noise.labels == "clean":
            labels = self._actions({eef: batch.labels() for eef, batch in state.batches.items()}, grippers)
        before = self._recording.before_step(labels, actions, state.obs)
        state.obs = self._session.step(actions, None if bool(state.active.all()) else state.active)
        self._recording.after_step(before, state.active)
        state.simulated += state.active.long()
        for batch in state.batches.values():
            batch.advance(state.active)

    def _actions(self, targets: Mapping[str, Tensor], grippers: Mapping[str, Tensor]) -> Tensor:
        """What leads end effectors to their targets from where they are, in active environments. Shape (N, A)."""
        actions = target_to_action(self._session.env, targets, grippers).to(torch.float32)
        return torch.where(self._state.active[:, None], actions, self._session.neutral_actions())

    def _act_on(self, verdicts: Verdicts) -> Iterator[Finished]:
        for env_id, cause in verdicts.finished.items():
            for eef in self._planners:
                self._note(env_id, eef, reached=cause is None)
            yield self._finish(env_id, cause)
        for env_id, eefs in verdicts.reached.items():
            arms = self._state.attempt(env_id).arms
            for eef in eefs:
                self._note(env_id, eef, reached=True)
                arms[eef] = ArmState(arms[eef].subtask + 1, None, 0)
                self._state.rest(env_id, eef)
        for env_id, eef in verdicts.lost.items():
            cause = self._give_up_or_go_back(env_id, eef)
            if cause is not None:
                yield self._finish(env_id, cause)

    def _give_up_or_go_back(self, env_id: int, eef: str) -> str | None:
        """Act on a subtask that did not reach its end. Returns the cause if that ends the attempt."""
        state, attempt, retry = self._state, self._state.attempt(env_id), self._cfg.retry
        key = (eef, attempt.arms[eef].subtask)
        for member, subtask in state.constraints.group(key):
            if attempt.arms[member].subtask == subtask:
                self._note(env_id, member, reached=False)
        note_failure(attempt, key, state.constraints)
        spent = retry is None or int(state.simulated[env_id]) >= self._most_effort
        mark = None if spent or retry is None else go_back(attempt, key, retry, state.constraints)
        if mark is None:
            subtasks = self._planners[eef].subtasks
            return FINAL if key[1] == len(subtasks) - 1 else subtasks[key[1]].subtask_term_signal
        state.obs = self._session.restore(mark.snapshot.select(torch.tensor([mark.place])), [env_id])
        self._recording.cut(env_id, mark.step)
        self._judge.go_back([env_id])
        for name, arm in attempt.arms.items():
            if arm.plan is None:
                state.rest(env_id, name)
            else:
                state.load(env_id, name)
        return None

    def _note(self, env_id: int, eef: str, *, reached: bool) -> None:
        """Let the witness note how a try ended."""
        if reached:
            self._witness.reached(env_id, eef)
        else:
            last = bool(self._state.batches[eef].in_last[env_id])
            self._witness.lost(env_id, eef, last and bool(self._judge.success_in_try[env_id]))

    def _finish(self, env_id: int, cause: str | None) -> Finished:
        attempt = self._state.attempt(env_id)
        data = self._recording.read(env_id)
        actions = data.pop("actions")
        outcome = Outcome(
            number=attempt.number,
            seed=attempt.seed,
            success=cause is None,
            success_any_step=bool(self._judge.success_any_step[env_id]),
            length=len(actions),
            env_steps=int(self._state.simulated[env_id]),
            cause=cause,
            step_backs=attempt.step_backs,
            initial_objects=attempt.initial_objects,
            subtasks=[part for planner in self._planners.values() for part in describe_subtasks(attempt, planner)],
        )
        self._state.attempts[env_id] = None
        self._state.active[env_id] = False
        return Finished(outcome, actions, data, tuple(attempt.failed_tries))


def _x_y_yaw(pose: Tensor) -> list[float]:
    return [float(pose[0, 3]), float(pose[1, 3]), math.atan2(float(pose[1, 0]), float(pose[0, 0]))]
