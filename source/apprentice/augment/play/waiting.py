"""Lets end effectors wait for each other in the middle of their plans, as the task's constraints ask."""

from __future__ import annotations

from apprentice.augment.planning.constraints import Key
from apprentice.augment.planning.plan import Plan

from .batch import OPEN
from .state import RolloutState

_SHORTEST_REST = 5
"""Steps of rest that are left in a plan: a slow hand is none that rests."""


def set_gates(state: RolloutState) -> None:
    """Say up to where each plan may be played at present."""
    for env_id, attempt in enumerate(state.attempts):
        if attempt is None or not state.constraints:
            continue
        for eef, arm in attempt.arms.items():
            if arm.plan is not None:
                state.batches[eef].gate[env_id] = _gate(state, env_id, (eef, arm.subtask), len(arm.plan.targets))
                if state.cfg.cut_pauses:
                    _stop_waiting(state, env_id, (eef, arm.subtask), arm.plan)


def _stop_waiting(state: RolloutState, env_id: int, key: Key, plan: Plan) -> None:
    """Leave out what a plan still rests once what it waits for is over.

    Whoever it waits for is often there sooner than in the source demo. Hands that rest for longer than they have to
    teach a policy to stay where it is, as other pauses do. What is played in step with another plan stays in step.
    """
    owed = _owed(state, key)
    if not owed or plan.meet_at is not None or not all(state.ended(env_id, first) for first in owed):
        return
    batch = state.batches[key[0]]
    now, last = int(batch.cursor[env_id]), len(plan.targets) - max(owed.values())
    if now + _SHORTEST_REST < last:
        until = min(plan.rests_until(now), last)
        if until > now + _SHORTEST_REST:
            batch.cursor[env_id] = until


def _owed(state: RolloutState, key: Key) -> dict[Key, int]:
    """Subtasks that have to be over before the last steps of another, and how many steps these are."""
    orders = (order for order in state.constraints.orders if order.then == key)
    return {order.first: order.steps_left for order in orders if order.steps_left is not None}


def _gate(state: RolloutState, env_id: int, key: Key, length: int) -> int:
    gate = OPEN
    for first, left in _owed(state, key).items():
        if not state.ended(env_id, first):
            gate = min(gate, max(1, length - left))
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
