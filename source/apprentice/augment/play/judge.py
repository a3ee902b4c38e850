"""Sees, after every step, which subtasks and attempts ended, and how."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .state import RolloutState

FINAL = "final"
"""Cause of failure of an attempt that reached every subtask signal, but no held success."""
TOO_LONG = "too long"
"""Cause of failure of an attempt that ran out of recorded steps."""

_ROOM_PER_BRIDGE = 60
"""Steps of a demo's length allowed for each bridge."""


@dataclass
class Verdicts:
    """What a step brought. Environments in which nothing ended are in none of these."""

    finished: dict[int, str | None] = field(default_factory=dict)
    """Attempts that are over: the cause of failure, or None for held success."""
    lost: dict[int, str] = field(default_factory=dict)
    """End effector whose subtask, the present one of its `ArmState`, did not reach its end."""
    reached: dict[int, list[str]] = field(default_factory=dict)
    """End effectors whose subtask did, and that go on to the next."""


class Judge:
    """Watches success and subtask signals of all environments."""

    def __init__(self, state: RolloutState) -> None:
        """Watch all environments of `state`."""
        n, planners = state.session.num_envs, state.planners
        self._state = state
        self._streak = torch.zeros(n, dtype=torch.long)
        self._waited = torch.zeros(n, dtype=torch.long)
        self.success_any_step = torch.zeros(n, dtype=torch.bool)
        """Whether the success term was true at any step of the attempt. Shape (N,)."""
        self.success_in_try = torch.zeros(n, dtype=torch.bool)
        """Whether it was true since the attempt began or was last taken back. Shape (N,)."""
        longest = max(int(planner.nominal[:, -1, 1].max()) for planner in planners.values())
        counts = [len(planner.subtasks) for planner in planners.values()]
        bridges = _ROOM_PER_BRIDGE * (sum(counts) if state.constraints.orders else max(counts))
        self._max_steps = state.cfg.wait_steps + 2 * (longest + bridges)

    def begin(self, env_ids: Sequence[int]) -> None:
        """Forget everything about environments in which attempts begin."""
        self.success_any_step[list(env_ids)] = False
        self.go_back(env_ids)

    def go_back(self, env_ids: Sequence[int]) -> None:
        """Count anew in environments that were taken back to a snapshot."""
        for counter in (self._streak, self._waited, self.success_in_try):
            counter[list(env_ids)] = 0

    def judge(self, lengths: Tensor) -> Verdicts:
        """What the step that was just taken brought.

        Args:
            lengths: Recorded steps of each environment's episode. Shape (N,).
        """
        state, cfg = self._state, self._state.cfg
        success, signals = state.session.success(), state.session.subtask_signals()
        self.success_any_step |= success & state.active
        self.success_in_try |= success & state.active
        self._streak = torch.where(success, self._streak + 1, 0)
        columns = [signals[name] for name in state.signal_names]
        batches = state.batches.values()
        for batch in batches:
            batch.watch(torch.stack(columns, 1) if columns else torch.zeros(state.session.num_envs, 0))
        in_last = state.active & torch.stack([batch.in_last for batch in batches]).all(0)
        played_out = in_last & torch.stack([batch.over for batch in batches]).all(0)
        self._waited = torch.where(played_out, self._waited + 1, 0)
        held = in_last & (self._streak >= cfg.held_steps)
        too_long = state.active & (lengths >= self._max_steps) & ~held
        too_late = (self._waited > cfg.wait_steps) & ~held & ~too_long
        verdicts = Verdicts(
            finished=dict.fromkeys(_ids(held)) | dict.fromkeys(_ids(too_long), TOO_LONG),
            lost={env_id: self._last_to_begin(env_id) for env_id in _ids(too_late)},
        )
        verdicts.lost |= self._not_playable(verdicts.finished)
        for env_id, eefs in self._ended(state.active & ~held & ~too_long).items():
            missed = [eef for eef in eefs if not self._reached(env_id, eef)]
            if env_id in verdicts.lost:
                continue
            if missed:
                verdicts.lost[env_id] = missed[0]
            else:
                verdicts.reached[env_id] = eefs
        return verdicts

    def _last_to_begin(self, env_id: int) -> str:
        """End effector that begins anew when all have finished and success did not come."""
        attempt = self._state.attempt(env_id)
        return max(attempt.arms, key=lambda eef: attempt.marks[eef, attempt.arms[eef].subtask].step)

    def _not_playable(self, finished: Container[int]) -> dict[int, str]:
        """End effectors whose plan cannot be played."""
        return {
            env_id: eef
            for env_id, attempt in enumerate(self._state.attempts)
            if attempt is not None and env_id not in finished
            for eef, arm in attempt.arms.items()
            if arm.plan is not None and arm.plan.problem is not None
        }

    def _ended(self, going_on: Tensor) -> dict[int, list[str]]:
        """End effectors that have played a subtask other than the last one to its end, per environment."""
        ended: dict[int, list[str]] = {}
        for eef, batch in self._state.batches.items():
            for env_id in _ids(going_on & batch.over & ~batch.in_last):
                ended.setdefault(env_id, []).append(eef)
        return ended

    def _reached(self, env_id: int, eef: str) -> bool:
        plan = self._state.attempt(env_id).arms[eef].plan
        assert plan is not None
        return self._state.batches[eef].reached(env_id, plan.needs_signal_at_end)


def _ids(mask: Tensor) -> list[int]:
    return mask.nonzero().flatten().tolist()
