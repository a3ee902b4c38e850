"""Plays attempts in all environments at once: each has plans of its own, and begins the next attempt when one ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apprentice.demos import Tree
from apprentice.tasks.eef_maps import action_to_target, target_to_action
from apprentice.tasks.episode import INFO, EpisodeBuffer, rows_after_step

from .attempt import ArmState, Attempt, Mark, Outcome, describe_subtasks
from .batch import PlanBatch
from .cfg import AugmentCfg
from .plan import Plan, Planner, Scene
from .retry import go_back, note_failure

FINAL = "final"
"""Cause of failure of an attempt that reached every subtask signal, but no held success."""
TOO_LONG = "too long"
"""Cause of failure of an attempt that ran out of recorded steps."""

_ROOM_PER_BRIDGE = 60
"""Steps of a demo's length allowed for each bridge."""


@dataclass(frozen=True)
class Finished:
    """An attempt that ended, with what was recorded."""

    outcome: Outcome
    actions: np.ndarray
    """As given to the environment. Shape (T, A), float32."""
    data: Tree
    """Everything else, by path."""


class Rollout:
    """All environments of a session, generating."""

    def __init__(self, session: Any, planners: Mapping[str, Planner], cfg: AugmentCfg) -> None:
        """Prepare buffers.

        Args:
            session: An open Mimic task.
            planners: One per end effector.
            cfg: Options.
        """
        n = session.num_envs
        self._session = session
        self._planners = planners
        self._cfg = cfg
        self._select_once = (
            cfg.selection == "task" and not session.env.cfg.datagen_config.generation_select_src_per_subtask
        )
        self._attempts: list[Attempt | None] = [None] * n
        self._active = torch.zeros(n, dtype=torch.bool)
        self._simulated = torch.zeros(n, dtype=torch.long)
        self._streak = torch.zeros(n, dtype=torch.long)
        self._waited = torch.zeros(n, dtype=torch.long)
        self._any = torch.zeros(n, dtype=torch.bool)
        self._signal_names = list(session.subtask_signals())
        self._batches = {
            eef: PlanBatch(n, planner.max_steps, planner.demos[0].gripper[eef].shape[-1], self._signal_names)
            for eef, planner in planners.items()
        }
        longest = max(int(planner.nominal[:, -1, 1].max()) for planner in planners.values())
        bridges = max(_ROOM_PER_BRIDGE * len(planner.subtasks) for planner in planners.values())
        self._max_steps = cfg.wait_steps + 2 * (longest + bridges)
        self._most_effort = 0.0 if cfg.retry is None else cfg.retry.effort * longest
        self._episodes = EpisodeBuffer(n)
        self._obs: dict[str, Tensor] = session.observe()

    def run(self, next_attempt: Callable[[], int | None]) -> Iterator[Finished]:
        """Play attempts until there are none left.

        Args:
            next_attempt: Gives the number of the next attempt, or None if none is wanted at present. Asked again after
                every step while an environment is free.

        Yields:
            Attempts in the order in which they end.
        """
        while True:
            self._begin_attempts(next_attempt)
            if not bool(self._active.any()):
                return
            self._make_plans()
            self._advance()
            yield from self._judge()

    def _begin_attempts(self, next_attempt: Callable[[], int | None]) -> None:
        beginning: dict[int, int] = {}
        for env_id in (~self._active).nonzero().flatten().tolist():
            number = next_attempt()
            if number is None:
                break
            beginning[env_id] = number
        if not beginning:
            return
        env_ids = list(beginning)
        self._obs = self._session.reset(env_ids, [self._cfg.seed + number for number in beginning.values()])
        for counter in (self._simulated, self._streak, self._waited, self._any):
            counter[env_ids] = 0
        self._active[env_ids] = True
        self._episodes.begin(env_ids, self._session.state())
        for env_id, number in beginning.items():
            self._attempts[env_id] = Attempt(
                number=number,
                rng=np.random.default_rng([self._cfg.seed, number]),
                initial_objects={name: _x_y_yaw(pose) for name, pose in self._scene(env_id).objects.items()},
                arms={eef: ArmState(0, None, 0) for eef in self._planners},
            )
        self._mark({env_id: list(self._planners) for env_id in env_ids})

    def _mark(self, eefs: Mapping[int, list[str]]) -> None:
        """Take a snapshot of environments in which end effectors begin subtasks."""
        if not eefs:
            return
        snapshot = self._session.snapshot(list(eefs))
        for place, (env_id, names) in enumerate(eefs.items()):
            attempt = self._attempt(env_id)
            for name, arm in attempt.arms.items():
                attempt.arms[name] = replace(arm, cursor=int(self._batches[name].cursor[env_id]))
            mark = Mark(snapshot.select(torch.tensor([place])), int(self._episodes.lengths[env_id]), dict(attempt.arms))
            for name in names:
                key = (name, attempt.arms[name].subtask)
                attempt.marks[key] = mark
                attempt.failed[key] = []

    def _make_plans(self) -> None:
        for env_id, attempt in enumerate(self._attempts):
            for eef in () if attempt is None else attempt.arms:
                if attempt is not None and attempt.arms[eef].plan is None:
                    subtask = attempt.arms[eef].subtask
                    attempt.arms[eef] = ArmState(subtask, self._plan(env_id, attempt, eef, subtask), 0)
                    self._load(env_id, attempt, eef)

    def _plan(self, env_id: int, attempt: Attempt, eef: str, subtask: int) -> Plan:
        planner, key = self._planners[eef], (eef, subtask)
        failed = attempt.failed[key]
        if eef not in attempt.boundaries or failed:
            attempt.boundaries[eef] = planner.draw(attempt.rng)
        before = attempt.played.get((eef, subtask - 1))
        plan = planner.plan(
            subtask,
            self._scene(env_id),
            attempt.boundaries[eef],
            failed=failed,
            keep_demo=attempt.played[eef, 0].demo if self._select_once and subtask > 0 else None,
            last_target=None if before is None else before.last_target,
            rng=attempt.rng,
        )
        attempt.played[key] = plan
        attempt.tries[key] = attempt.tries.get(key, 0) + 1
        return plan

    def _load(self, env_id: int, attempt: Attempt, eef: str) -> None:
        arm, subtasks = attempt.arms[eef], self._planners[eef].subtasks
        last = arm.subtask == len(subtasks) - 1
        signal = None if last else subtasks[arm.subtask].subtask_term_signal
        self._batches[eef].load(env_id, arm, signal, last)

    def _advance(self) -> None:
        """One control step of all active environments, recorded."""
        env = self._session.env
        current = {eef: batch.current() for eef, batch in self._batches.items()}
        actions = target_to_action(env, {k: v[0] for k, v in current.items()}, {k: v[1] for k, v in current.items()})
        actions = torch.where(self._active[:, None], actions.to(torch.float32), self._session.neutral_actions())
        # copied, because the environment may reuse its buffers when it steps
        before = {key: value.clone() for key, value in self._before_step(actions).items()}
        self._obs = self._session.step(actions, None if bool(self._active.all()) else self._active)
        self._episodes.add(before | rows_after_step(self._session), self._active)
        moved = self._active.long()
        self._simulated += moved
        for batch in self._batches.values():
            batch.cursor += moved

    def _before_step(self, actions: Tensor) -> dict[str, Tensor]:
        rows = {"actions": actions} | {f"obs/{key}": value for key, value in self._obs.items()}
        rows |= {f"{INFO}/target_eef_pose/{k}": v for k, v in action_to_target(self._session.env, actions).items()}
        return rows | {f"{INFO}/subtask_term_signals/{k}": v for k, v in self._session.subtask_signals().items()}

    def _judge(self) -> Iterator[Finished]:
        """See which subtasks and attempts ended, and act on it."""
        success, signals = self._session.success(), self._session.subtask_signals()
        self._any |= success & self._active
        self._streak = torch.where(success, self._streak + 1, 0)
        columns = [signals[name] for name in self._signal_names]
        for batch in self._batches.values():
            batch.watch(torch.stack(columns, 1) if columns else torch.zeros(self._session.num_envs, 0))
        batches = self._batches.values()
        in_last = self._active & torch.stack([batch.in_last for batch in batches]).all(0)
        played_out = in_last & torch.stack([batch.over for batch in batches]).all(0)
        self._waited = torch.where(played_out, self._waited + 1, 0)
        held = in_last & (self._streak >= self._cfg.held_steps)
        too_long = self._active & (self._episodes.lengths >= self._max_steps) & ~held
        too_late = (self._waited > self._cfg.wait_steps) & ~held & ~too_long
        for env_id in held.nonzero().flatten().tolist():
            yield self._finish(env_id, None)
        for env_id in too_long.nonzero().flatten().tolist():
            yield self._finish(env_id, TOO_LONG)
        lost = dict.fromkeys(too_late.nonzero().flatten().tolist(), self._longest)
        begun: dict[int, list[str]] = {}
        for env_id, eefs in self._ended().items():
            missed = [eef for eef in eefs if not self._reached(env_id, eef)]
            if missed:
                lost[env_id] = missed[0]
                continue
            attempt = self._attempt(env_id)
            for eef in eefs:
                attempt.arms[eef] = ArmState(attempt.arms[eef].subtask + 1, None, 0)
            begun[env_id] = eefs
        self._mark(begun)
        for env_id, eef in lost.items():
            cause = self._give_up_or_go_back(env_id, eef)
            if cause is not None:
                yield self._finish(env_id, cause)

    @property
    def _longest(self) -> str:
        """End effector that begins anew when all have finished and success did not come."""
        return max(self._planners, key=lambda eef: len(self._planners[eef].subtasks))

    def _ended(self) -> dict[int, list[str]]:
        """End effectors that have played a subtask other than the last one to its end, per environment."""
        ended: dict[int, list[str]] = {}
        for eef, batch in self._batches.items():
            for env_id in (self._active & batch.over & ~batch.in_last).nonzero().flatten().tolist():
                ended.setdefault(env_id, []).append(eef)
        return ended

    def _reached(self, env_id: int, eef: str) -> bool:
        plan = self._attempt(env_id).arms[eef].plan
        assert plan is not None
        return self._batches[eef].reached(env_id, plan.needs_signal_at_end)

    def _give_up_or_go_back(self, env_id: int, eef: str) -> str | None:
        """Act on a subtask that did not reach its end. Returns the cause if that ends the attempt."""
        attempt = self._attempt(env_id)
        key = (eef, attempt.arms[eef].subtask)
        note_failure(attempt, key)
        spent = self._cfg.retry is None or int(self._simulated[env_id]) >= self._most_effort
        mark = None if spent or self._cfg.retry is None else go_back(attempt, key, self._cfg.retry)
        if mark is None:
            subtasks = self._planners[eef].subtasks
            return FINAL if key[1] == len(subtasks) - 1 else subtasks[key[1]].subtask_term_signal
        self._obs = self._session.restore(mark.snapshot, [env_id])
        self._episodes.cut(env_id, mark.step)
        self._streak[env_id] = self._waited[env_id] = 0
        for name, arm in attempt.arms.items():
            if arm.plan is not None:
                self._load(env_id, attempt, name)
        return None

    def _finish(self, env_id: int, cause: str | None) -> Finished:
        attempt = self._attempt(env_id)
        data = self._episodes.read(env_id)
        actions = data.pop("actions")
        outcome = Outcome(
            number=attempt.number,
            success=cause is None,
            success_any_step=bool(self._any[env_id]),
            length=len(actions),
            env_steps=int(self._simulated[env_id]),
            cause=cause,
            step_backs=attempt.step_backs,
            initial_objects=attempt.initial_objects,
            subtasks=[part for planner in self._planners.values() for part in describe_subtasks(attempt, planner)],
        )
        self._attempts[env_id] = None
        self._active[env_id] = False
        return Finished(outcome, actions, data)

    def _attempt(self, env_id: int) -> Attempt:
        attempt = self._attempts[env_id]
        assert attempt is not None
        return attempt

    def _scene(self, env_id: int) -> Scene:
        prefix = "datagen_info/object_pose/"
        return Scene(
            eef={eef: self._obs[f"datagen_info/eef_pose/{eef}"][env_id].to(torch.float64) for eef in self._planners},
            objects={
                key.removeprefix(prefix): value[env_id].to(torch.float64)
                for key, value in self._obs.items()
                if key.startswith(prefix)
            },
        )


def _x_y_yaw(pose: Tensor) -> list[float]:
    return [float(pose[0, 3]), float(pose[1, 3]), math.atan2(float(pose[1, 0]), float(pose[0, 0]))]
