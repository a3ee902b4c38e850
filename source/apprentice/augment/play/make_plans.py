"""Gives end effectors that need one a plan, when nothing stands against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from apprentice.augment.attempt import ArmState, Attempt
from apprentice.augment.planning.constraints import Key, Together
from apprentice.augment.planning.plan import Plan, Shared
from apprentice.augment.planning.together import in_step, meeting, share

from .state import RolloutState


class PlanMaker:
    """Makes plans from where things are now and from what failed before."""

    def __init__(self, state: RolloutState) -> None:
        """Plans for all environments of `state`."""
        self._state = state
        mimic = state.session.env.cfg.datagen_config
        as_task_says = state.cfg.selection == "task"
        self._select_once = as_task_says and not mimic.generation_select_src_per_subtask
        self._select_for_all = (
            as_task_says and len(state.planners) > 1 and not getattr(mimic, "generation_select_src_per_arm", False)
        )

    def beginning(self) -> dict[int, list[str]]:
        """End effectors that need a plan and may have one, per environment."""
        found: dict[int, list[str]] = {}
        for env_id, attempt in enumerate(self._state.attempts):
            if attempt is None:
                continue
            waiting = {eef: arm.subtask for eef, arm in attempt.arms.items() if arm.plan is None}
            eefs = [eef for eef, index in waiting.items() if self._may_begin(env_id, (eef, index), waiting)]
            if eefs:
                found[env_id] = eefs
        return found

    def make_plans(self, beginning: Mapping[int, list[str]]) -> None:
        """Let end effectors play new plans.

        Args:
            beginning: From `beginning`.
        """
        for env_id, eefs in beginning.items():
            attempt = self._state.attempt(env_id)
            keys = [(eef, attempt.arms[eef].subtask) for eef in eefs]
            done: set[Key] = set()
            for key in keys:
                link = self._state.constraints.link(key)
                if key in done:
                    continue
                if link is None:
                    plans = {key: self._plan(env_id, attempt, key)}
                else:
                    members = [member for member in link.subtasks if member in keys]
                    plans = self._plans_together(env_id, attempt, link, members)
                for (eef, subtask), plan in plans.items():
                    attempt.played[eef, subtask] = plan
                    attempt.note_used((eef, subtask), failed=False)
                    attempt.tries[eef, subtask] = attempt.tries.get((eef, subtask), 0) + 1
                    attempt.arms[eef] = ArmState(subtask, plan, 0)
                    self._state.load(env_id, eef)
                done |= plans.keys()

    def _may_begin(self, env_id: int, key: Key, waiting: Mapping[str, int]) -> bool:
        constraints = self._state.constraints
        return not constraints or constraints.may_begin(key, lambda other: self._state.ended(env_id, other), waiting)

    def _plans_together(self, env_id: int, attempt: Attempt, link: Together, members: list[Key]) -> dict[Key, Plan]:
        """Plans for subtasks that are done together: both at once, or the first or the second of them to begin."""
        begun = attempt.arms[link.other(members[0])[0]] if len(members) == 1 else None
        if begun is not None and begun.plan is not None and begun.subtask == link.other(members[0])[1]:
            shared = Shared(begun.plan.demo, begun.plan.moved, None)
        else:
            leading = link if members[0] == link.subtasks[0] else replace(link, subtasks=link.subtasks[::-1])
            for key in link.subtasks:
                self._draw(attempt, key)
            self._state.constraints.align(attempt.boundaries)
            shared = share(
                leading,
                self._state.planners,
                attempt.boundaries,
                self._state.scene(env_id),
                failed=attempt.failed[members[0]],
                keep_demo=self._kept_demo(attempt, members[0]),
                lessons=attempt.lessons,
                rng=attempt.rng,
            )
        plans: dict[Key, Plan] = {}
        for key in members:
            eef, index = link.other(key)
            other_start = int(attempt.boundaries[eef][shared.demo, index, 0])
            plans[key] = meeting(self._plan(env_id, attempt, key, shared), other_start)
        return in_step(plans)

    def _plan(self, env_id: int, attempt: Attempt, key: Key, shared: Shared | None = None) -> Plan:
        eef, subtask = key
        if shared is None:
            self._draw(attempt, key)
        before = attempt.played.get((eef, subtask - 1))
        return self._state.planners[eef].plan(
            subtask,
            self._state.scene(env_id),
            attempt.boundaries[eef],
            failed=attempt.failed[key],
            keep_demo=self._kept_demo(attempt, key),
            last_target=None if before is None else before.last_target,
            lessons=attempt.lessons,
            rng=attempt.rng,
            shared=shared,
        )

    def _draw(self, attempt: Attempt, key: Key) -> None:
        """Draw segment boundaries at the beginning, and others after each failure."""
        eef, _ = key
        if eef not in attempt.boundaries or attempt.failed.get(key):
            attempt.boundaries[eef] = self._state.planners[eef].draw(attempt.rng)

    def _kept_demo(self, attempt: Attempt, key: Key) -> int | None:
        """The source demo that the task's settings do not allow to change."""
        eef, subtask = key
        if self._select_for_all:
            others = [plan.demo for other, plan in attempt.played.items() if other in attempt.marks and other != key]
            return others[0] if others else None
        return attempt.played[eef, 0].demo if self._select_once and subtask > 0 else None
