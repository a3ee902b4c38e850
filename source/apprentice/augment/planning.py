"""Gives end effectors that need one a plan."""

from __future__ import annotations

from .attempt import ArmState, Attempt
from .plan import Plan
from .state import RolloutState


class PlanMaker:
    """Makes plans from where things are now and from what failed before."""

    def __init__(self, state: RolloutState) -> None:
        """Plans for all environments of `state`."""
        self._state = state
        self._select_once = (
            state.cfg.selection == "task" and not state.session.env.cfg.datagen_config.generation_select_src_per_subtask
        )

    def make_plans(self) -> None:
        """Let every end effector without a plan play a new one."""
        for env_id, attempt in enumerate(self._state.attempts):
            for eef in () if attempt is None else attempt.arms:
                if attempt is not None and attempt.arms[eef].plan is None:
                    subtask = attempt.arms[eef].subtask
                    attempt.arms[eef] = ArmState(subtask, self._plan(env_id, attempt, eef, subtask), 0)
                    self._state.load(env_id, eef)

    def _plan(self, env_id: int, attempt: Attempt, eef: str, subtask: int) -> Plan:
        planner, key = self._state.planners[eef], (eef, subtask)
        failed = attempt.failed[key]
        if eef not in attempt.boundaries or failed:
            attempt.boundaries[eef] = planner.draw(attempt.rng)
        before = attempt.played.get((eef, subtask - 1))
        plan = planner.plan(
            subtask,
            self._state.scene(env_id),
            attempt.boundaries[eef],
            failed=failed,
            keep_demo=attempt.played[eef, 0].demo if self._select_once and subtask > 0 else None,
            last_target=None if before is None else before.last_target,
            lessons=attempt.lessons,
            rng=attempt.rng,
        )
        attempt.played[key] = plan
        attempt.note_used(key, failed=False)
        attempt.tries[key] = attempt.tries.get(key, 0) + 1
        return plan
