"""Lets end effectors wait for each other in the middle of their plans, as the task's constraints ask."""

from __future__ import annotations

from apprentice.augment.planning.constraints import Key

from .batch import OPEN
from .state import RolloutState


def set_gates(state: RolloutState) -> None:
    """Say up to where each plan may be played at present."""
    for env_id, attempt in enumerate(state.attempts):
        if attempt is None or not state.constraints:
            continue
        for eef, arm in attempt.arms.items():
            if arm.plan is not None:
                state.batches[eef].gate[env_id] = _gate(state, env_id, (eef, arm.subtask), len(arm.plan.targets))


def _gate(state: RolloutState, env_id: int, key: Key, length: int) -> int:
    gate = OPEN
    for order in state.constraints.orders:
        if order.then == key and order.steps_left is not None and not state.ended(env_id, order.first):
            gate = min(gate, max(1, length - order.steps_left))
    plan = state.attempt(env_id).arms[key[0]].plan
    link = state.constraints.link(key)
    if link is None or plan is None or plan.meet_at is None or _is_met(state, env_id, link.other(key)):
        return gate
    return min(gate, max(1, plan.meet_at))


def _is_met(state: RolloutState, env_id: int, other: Key) -> bool:
    """Whether an end effector has come to where it is met, or is beyond."""
    eef, index = other
    arm = state.attempt(env_id).arms[eef]
    if arm.subtask != index or arm.plan is None:
        return arm.subtask > index
    return int(state.batches[eef].cursor[env_id]) >= max(1, arm.plan.meet_at or 0)
