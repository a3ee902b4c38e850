"""Plays attempts in all environments at once: each has plans of its own, and starts the next attempt when one ends."""

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

from .attempt import ArmState, Attempt, Mark, Outcome
from .cfg import AugmentCfg
from .plan import Plan, Planner, Scene
from .recording import Recorder, rows_of

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
        self._select_per_subtask = cfg.selection != "task" or session.env.cfg.datagen_config.generation_select_src_per_subtask
        self._attempts: list[Attempt | None] = [None] * n
        self._env_ids = torch.arange(n)
        self._active = torch.zeros(n, dtype=torch.bool)
        self._step = torch.zeros(n, dtype=torch.long)
        self._streak = torch.zeros(n, dtype=torch.long)
        self._waited = torch.zeros(n, dtype=torch.long)
        self._any = torch.zeros(n, dtype=torch.bool)
        self._simulated = torch.zeros(n, dtype=torch.long)
        plan_steps = {eef: planner.max_steps for eef, planner in planners.items()}
        widths = {eef: planner.demos[0].gripper[eef].shape[-1] for eef, planner in planners.items()}
        eye = torch.eye(4)
        self._targets = {eef: eye.repeat(n, steps, 1, 1) for eef, steps in plan_steps.items()}
        self._grippers = {eef: torch.zeros(n, steps, widths[eef]) for eef, steps in plan_steps.items()}
        self._cursor = {eef: torch.zeros(n, dtype=torch.long) for eef in planners}
        self._plan_length = {eef: torch.ones(n, dtype=torch.long) for eef in planners}
        self._risen = {eef: torch.zeros(n, dtype=torch.bool) for eef in planners}
        self._signal_names = list(session.subtask_signals())
        self._signal_of = {eef: torch.full((n,), -1, dtype=torch.long) for eef in planners}
        self.max_steps = cfg.wait_steps + 2 * max(
            int(planner.nominal[:, -1, 1].max()) + _ROOM_PER_BRIDGE * len(planner.subtasks)
            for planner in planners.values()
        )
        self._recorder = Recorder(n, self.max_steps)
        self._obs = session.observe()

    def run(self, next_attempt: Callable[[], int | None]) -> Iterator[Finished]:
        """Play attempts until there are none left.

        Args:
            next_attempt: Gives the number of the next attempt, or None if none is wanted at present. Asked again after
                every attempt that ends.

        Yields:
            Attempts in the order in which they end.
        """
        while True:
            self._start(next_attempt)
            if not bool(self._active.any()):
                return
            self._make_plans()
            self._advance()
            yield from self._judge()

    def _start(self, next_attempt: Callable[[], int | None]) -> None:
        starting: dict[int, int] = {}
        for env_id in (~self._active).nonzero().flatten().tolist():
            number = next_attempt()
            if number is None:
                break
            starting[env_id] = number
        if not starting:
            return
        env_ids = list(starting)
        self._obs = self._session.reset(env_ids, [self._cfg.seed + number for number in starting.values()])
        ids = torch.tensor(env_ids)
        for counter in (self._step, self._streak, self._waited, self._simulated):
            counter[ids] = 0
        self._any[ids] = False
        self._active[ids] = True
        state = self._session.state()
        for env_id, number in starting.items():
            scene = self._scene(env_id)
            self._attempts[env_id] = Attempt(
                number=number,
                rng=np.random.default_rng([self._cfg.seed, number]),
                initial_state={f"initial_state/{key}": value for key, value in rows_of(state, env_id).items()},
                initial_objects={name: _x_y_yaw(pose) for name, pose in scene.objects.items()},
                arms={eef: ArmState(0, None, 0) for eef in self._planners},
            )
        self._mark(env_ids, {env_id: list(self._planners) for env_id in env_ids})

    def _mark(self, env_ids: list[int], eefs: Mapping[int, list[str]]) -> None:
        """Take a snapshot of environments in which end effectors begin subtasks."""
        if not env_ids:
            return
        snapshot = self._session.snapshot(env_ids)
        for place, env_id in enumerate(env_ids):
            attempt = self._attempt(env_id)
            self._read_cursors(env_id, attempt)
            mark = Mark(snapshot.select(torch.tensor([place])), int(self._step[env_id]), dict(attempt.arms))
            for eef in eefs[env_id]:
                key = (eef, attempt.arms[eef].subtask)
                attempt.marks[key] = mark
                attempt.failed[key] = []

    def _make_plans(self) -> None:
        for env_id, attempt in enumerate(self._attempts):
            if attempt is None:
                continue
            for eef, arm in attempt.arms.items():
                if arm.plan is None:
                    self._begin(env_id, attempt, eef, self._plan(env_id, attempt, eef, arm.subtask))

    def _plan(self, env_id: int, attempt: Attempt, eef: str, subtask: int) -> Plan:
        planner, key = self._planners[eef], (eef, subtask)
        failed = attempt.failed[key]
        if eef not in attempt.boundaries or failed:
            attempt.boundaries[eef] = planner.draw(attempt.rng)
        before = attempt.played.get((eef, subtask - 1))
        first = attempt.played.get((eef, 0))
        plan = planner.plan(
            subtask,
            self._scene(env_id),
            attempt.boundaries[eef],
            failed=failed,
            keep_demo=None if self._select_per_subtask or subtask == 0 or first is None else first.demo,
            last_target=None if before is None else before.last_target,
            rng=attempt.rng,
        )
        attempt.played[key] = plan
        attempt.tries[key] = attempt.tries.get(key, 0) + 1
        return plan

    def _begin(self, env_id: int, attempt: Attempt, eef: str, plan: Plan) -> None:
        attempt.arms[eef] = replace(attempt.arms[eef], plan=plan, cursor=0)
        self._risen[eef][env_id] = False
        self._load(env_id, attempt, eef)

    def _load(self, env_id: int, attempt: Attempt, eef: str) -> None:
        """Put an end effector's plan into the batch."""
        arm = attempt.arms[eef]
        assert arm.plan is not None
        length = len(arm.plan.targets)
        self._targets[eef][env_id, :length] = arm.plan.targets
        self._grippers[eef][env_id, :length] = arm.plan.gripper
        self._plan_length[eef][env_id] = length
        self._cursor[eef][env_id] = arm.cursor
        subtasks = self._planners[eef].subtasks
        last = arm.subtask == len(subtasks) - 1
        signal = None if last else subtasks[arm.subtask].subtask_term_signal
        self._signal_of[eef][env_id] = -1 if signal is None else self._signal_names.index(signal)

    def _advance(self) -> None:
        """One control step of all active environments, recorded."""
        targets, grippers = {}, {}
        for eef, cursor in self._cursor.items():
            at = torch.minimum(cursor, self._plan_length[eef] - 1)
            targets[eef] = self._targets[eef][self._env_ids, at]
            grippers[eef] = self._grippers[eef][self._env_ids, at]
        env = self._session.env
        actions = target_to_action(env, targets, grippers).to(torch.float32)
        actions = torch.where(self._active[:, None], actions, self._session.neutral_actions())
        row = {"actions": actions}
        row |= {f"obs/{key}": value for key, value in self._obs.items()}
        row |= {f"obs/datagen_info/target_eef_pose/{k}": v for k, v in action_to_target(env, actions).items()}
        signals = self._session.subtask_signals()
        row |= {f"obs/datagen_info/subtask_term_signals/{k}": v for k, v in signals.items()}
        row = {key: value.clone() for key, value in row.items()}  # the environment may reuse them when it steps
        self._obs = self._session.step(actions, None if bool(self._active.all()) else self._active)
        row |= {f"states/{key}": value for key, value in self._session.state().items()}
        self._recorder.write(self._step, self._active, row)
        moved = self._active.long()
        self._step += moved
        self._simulated += moved
        for cursor in self._cursor.values():
            cursor += moved

    def _judge(self) -> Iterator[Finished]:
        """See which subtasks and attempts ended, and act on it."""
        success = self._session.success()
        self._any |= success & self._active
        self._streak = torch.where(success, self._streak + 1, 0)
        signals = self._session.subtask_signals()
        stacked = torch.stack([signals[name] for name in self._signal_names], 1) if signals else None
        ended: dict[int, list[str]] = {}
        in_last = self._active.clone()
        played_out = self._active.clone()
        for eef, cursor in self._cursor.items():
            wanted = self._signal_of[eef]
            over = self._active & (cursor >= self._plan_length[eef])
            last = self._last(eef)
            in_last &= last
            played_out &= last & over
            if stacked is not None:
                self._risen[eef] |= stacked.gather(1, wanted.clamp_min(0)[:, None])[:, 0] & (wanted >= 0)
            for env_id in (over & ~last).nonzero().flatten().tolist():
                ended.setdefault(env_id, []).append(eef)
        self._waited = torch.where(played_out, self._waited + 1, 0)
        held = in_last & (self._streak >= self._cfg.held_steps)
        too_late = played_out & (self._waited > self._cfg.wait_steps) & ~held
        too_long = self._active & (self._step >= self.max_steps) & ~held
        restored: dict[int, Any] = {}
        marked: dict[int, list[str]] = {}
        for env_id in held.nonzero().flatten().tolist():
            yield self._finish(env_id, None)
        for env_id in too_long.nonzero().flatten().tolist():
            yield self._finish(env_id, TOO_LONG)
        for env_id in (too_late & ~too_long).nonzero().flatten().tolist():
            # which end effector is to blame is not known: all had finished; the one with the most subtasks begins anew
            eef = max(self._planners, key=lambda name: len(self._planners[name].subtasks))
            yield from self._failed(env_id, eef, restored)
        for env_id, eefs in ended.items():
            if self._attempts[env_id] is None or bool(too_long[env_id]):
                continue
            lost = [eef for eef in eefs if not self._reached(env_id, eef, stacked)]
            if lost:
                yield from self._failed(env_id, lost[0], restored)
                continue
            attempt = self._attempt(env_id)
            for eef in eefs:
                attempt.arms[eef] = ArmState(attempt.arms[eef].subtask + 1, None, 0)
            marked[env_id] = eefs
        self._mark(list(marked), marked)
        self._restore(restored)

    def _last(self, eef: str) -> Tensor:
        last = len(self._planners[eef].subtasks) - 1
        return torch.tensor([attempt is not None and attempt.arms[eef].subtask == last for attempt in self._attempts])

    def _reached(self, env_id: int, eef: str, signals: Tensor | None) -> bool:
        arm = self._attempt(env_id).arms[eef]
        assert arm.plan is not None and signals is not None
        if arm.plan.needs_signal_at_end:
            return bool(signals[env_id, self._signal_of[eef][env_id]])
        return bool(self._risen[eef][env_id])

    def _failed(self, env_id: int, eef: str, restored: dict[int, Any]) -> Iterator[Finished]:
        """A subtask did not reach its end: go back to a snapshot, or give the attempt up."""
        attempt, retry = self._attempt(env_id), self._cfg.retry
        arm = attempt.arms[eef]
        assert arm.plan is not None
        key = (eef, arm.subtask)
        attempt.failures[key] = attempt.failures.get(key, 0) + 1
        attempt.failed[key].append(arm.plan.demo)
        if retry is not None:
            if len(attempt.failed[key]) < retry.tries:
                restored[env_id] = attempt.rewind(key)
                return
            if arm.subtask > 0 and attempt.step_backs < retry.step_backs:
                attempt.step_backs += 1
                before = (eef, arm.subtask - 1)
                attempt.failed[before].append(attempt.played[before].demo)
                restored[env_id] = attempt.rewind(before)
                return
        signal = self._planners[eef].subtasks[arm.subtask].subtask_term_signal
        last = arm.subtask == len(self._planners[eef].subtasks) - 1
        yield self._finish(env_id, FINAL if last or signal is None else signal)

    def _restore(self, marks: Mapping[int, Mark]) -> None:
        for env_id, mark in marks.items():
            self._obs = self._session.restore(mark.snapshot, [env_id])
            self._step[env_id] = mark.step
            self._streak[env_id] = self._waited[env_id] = 0
            attempt = self._attempt(env_id)
            for eef, arm in attempt.arms.items():
                if arm.plan is not None:
                    self._load(env_id, attempt, eef)

    def _finish(self, env_id: int, cause: str | None) -> Finished:
        attempt, steps = self._attempt(env_id), int(self._step[env_id])
        data = self._recorder.read(env_id, steps)
        actions = data.pop("actions")
        outcome = Outcome(
            number=attempt.number,
            success=cause is None,
            success_any_step=bool(self._any[env_id]),
            length=steps,
            env_steps=int(self._simulated[env_id]),
            cause=cause,
            step_backs=attempt.step_backs,
            initial_objects=attempt.initial_objects,
            subtasks=[
                self._describe(attempt, eef, index)
                for eef, planner in self._planners.items()
                for index in range(len(planner.subtasks))
            ],
        )
        self._attempts[env_id] = None
        self._active[env_id] = False
        return Finished(outcome, actions, attempt.initial_state | data)

    def _describe(self, attempt: Attempt, eef: str, index: int) -> dict[str, Any]:
        planner, key = self._planners[eef], (eef, index)
        subtask, plan = planner.subtasks[index], attempt.played.get(key)
        described: dict[str, Any] = {
            "eef": eef,
            "index": index,
            "object": subtask.object_ref,
            "signal": subtask.subtask_term_signal,
            "tries": attempt.tries.get(key, 0),
            "failures": attempt.failures.get(key, 0),
        }
        if plan is not None:
            described |= {
                "source_demo": planner.demos[plan.demo].name,
                "start": plan.start,
                "end": plan.end,
                "offset": plan.end - int(planner.nominal[plan.demo, index, 1]),
                "bridge_steps": plan.bridge_steps,
            }
        return described

    def _attempt(self, env_id: int) -> Attempt:
        attempt = self._attempts[env_id]
        assert attempt is not None
        return attempt

    def _read_cursors(self, env_id: int, attempt: Attempt) -> None:
        for eef, arm in attempt.arms.items():
            if arm.plan is not None:
                attempt.arms[eef] = replace(arm, cursor=int(self._cursor[eef][env_id]))

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
