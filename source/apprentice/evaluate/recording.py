"""What is kept of the rollouts under way: the states of a few, to be drawn, and the traces of all that fail."""

from __future__ import annotations

from pathlib import Path

import torch

from apprentice.evaluate.contracts import Observations, Simulation
from apprentice.evaluate.journal import Rollout
from apprentice.evaluate.traces import STATES_EVERY, TraceRecorder
from apprentice.evaluate.trajectories import TrajectoryRecorder


class Recording:
    """Watches all environments, and saves what is wanted of a rollout when it ends."""

    def __init__(self, output: Path, session: Simulation, *, horizon: int, videos: int) -> None:
        """Save below `output`; `videos` successes and failures are to be drawn."""
        self._session = session
        count = session.num_envs
        self._states = TrajectoryRecorder(output / "trajectories", num_envs=count, horizon=horizon, keep=videos)
        self._traces = TraceRecorder(output, num_envs=count, horizon=horizon, task_info=session.task_info)

    def begin(self, env_ids: torch.Tensor, obs: Observations, reached: torch.Tensor) -> None:
        """Rollouts begin in some environments; `reached` as in `add`."""
        steps, states = torch.zeros_like(env_ids), self._session.state()
        self._traces.begin(env_ids.tolist(), states)
        self._traces.add(env_ids, steps, obs, reached)
        if self._states.wanted:
            self._states.add(env_ids, steps, states)

    def add(self, env_ids: torch.Tensor, steps: torch.Tensor, obs: Observations, reached: torch.Tensor) -> None:
        """A control step was played.

        Args:
            env_ids: Environments that played it. Shape (n,).
            steps: Control steps that each of them has played. Shape (n,).
            obs: What all environments show.
            reached: Subtask signals that have been true so far, of all environments. Shape (N, S).
        """
        self._traces.add(env_ids, steps, obs, reached)
        due = steps % STATES_EVERY == 0
        if not (self._states.wanted or due.any()):
            return
        states = self._session.state()
        if self._states.wanted:
            self._states.add(env_ids, steps, states)
        self._traces.add_states(env_ids[due], steps[due], states)

    def finish(self, env_id: int, rollout: Rollout) -> None:
        """A rollout has ended. One that does not count leaves nothing."""
        if rollout.not_counted is not None:
            return
        for recorder in (self._states, self._traces):
            recorder.finish(env_id, rollout=rollout.index, steps=rollout.steps, success=rollout.success)
