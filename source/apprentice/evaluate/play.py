"""Plays rollouts in all environments, each beginning the next one as soon as its own has ended."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence

import torch

from apprentice.evaluate.contracts import Observations, Policy, Simulation
from apprentice.evaluate.journal import Rollout
from apprentice.evaluate.recording import Recording
from apprentice.evaluate.slots import Slots


def play(
    policy: Policy,
    session: Simulation,
    slots: Slots,
    pending: Sequence[int],
    recording: Recording,
    run: int,
) -> Iterator[Rollout]:
    """Play the pending rollouts, yielding each when it ends."""
    waiting, started = deque(pending), time.perf_counter()
    policy.start(session.num_envs)
    obs = _begin(policy, session, slots, recording, waiting, list(range(session.num_envs)))
    while slots.active.any():
        actions, acting = _act(policy, obs, slots.active)
        for intervention in slots.interventions:
            actions = intervention.before(actions, acting)
        obs = session.step(actions, acting.to(actions.device))
        for intervention in slots.interventions:
            intervention.after(obs, acting)
        ended = slots.advance(session, obs, acting)
        env_ids = acting.nonzero().flatten()
        recording.add(env_ids, slots.steps[env_ids], obs, slots.reached)
        free = ended.nonzero().flatten().tolist()
        for env_id in free:
            rollout = slots.report(env_id, run=run, run_seconds=time.perf_counter() - started)
            recording.finish(env_id, rollout)
            yield rollout
        if free:
            slots.active &= ~ended
            obs = _begin(policy, session, slots, recording, waiting, free) if waiting else obs


def _begin(
    policy: Policy,
    session: Simulation,
    slots: Slots,
    recording: Recording,
    waiting: deque[int],
    free: Sequence[int],
) -> Observations:
    """Start waiting rollouts in free environments."""
    env_ids = list(free[: len(waiting)])
    if not env_ids:
        return {}
    indices = [waiting.popleft() for _ in env_ids]
    seeds = [slots.seed(index) for index in indices]
    obs = session.reset(env_ids, seeds)
    if slots.starts is not None:
        states = {key: torch.from_numpy(value[indices]) for key, value in slots.starts.states.items()}
        obs = session.set_state(states, env_ids)
    policy.reset(env_ids, seeds)
    for intervention in slots.interventions:
        intervention.begin(env_ids, seeds, obs)
    rows = torch.tensor(env_ids)
    slots.begin(rows, indices, obs)
    recording.begin(rows, obs, slots.reached)
    return obs


def _act(policy: Policy, obs: Observations, active: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Actions, and which of the active environments have one that is finite. Shapes (N, A), (N,)."""
    if active.all():
        actions = policy.act(obs)
    else:
        env_ids = active.nonzero().flatten()
        chosen = policy.act({name: value[env_ids] for name, value in obs.items()}, env_ids)
        actions = chosen.new_zeros(len(active), chosen.shape[1])
        actions[env_ids] = chosen
    finite = actions.isfinite().all(dim=1)
    return torch.where(finite[:, None], actions, 0.0), active & finite.cpu()
