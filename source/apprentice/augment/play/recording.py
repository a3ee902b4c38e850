"""Records what the environments of a rollout do, step by step, as demo files hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from apprentice.demos import EXECUTED, Tree
from apprentice.tasks.eef_maps import action_to_target
from apprentice.tasks.episode import INFO, EpisodeBuffer, rows_after_step


class Recording:
    """The episodes under way."""

    def __init__(self, session: Any) -> None:
        """Record all environments of `session`."""
        self._session = session
        self._episodes = EpisodeBuffer(session.num_envs)

    @property
    def lengths(self) -> Tensor:
        """Steps recorded in each environment. Shape (N,)."""
        return self._episodes.lengths

    def begin(self, env_ids: Sequence[int]) -> None:
        """Start episodes afresh, from the present state."""
        self._episodes.begin(env_ids, self._session.state())

    def before_step(self, labels: Tensor, executed: Tensor, obs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What to record of the moment before a step. Give it to `after_step`.

        Args:
            labels: What is to be learnt. Shape (N, A).
            executed: What is about to be done. The same object if nothing else is to be learnt. Shape (N, A).
            obs: Observations that they answer. Shapes (N, ...).
        """
        rows = {"actions": labels} | {f"obs/{key}": value for key, value in obs.items()}
        if executed is not labels:
            rows[EXECUTED] = executed
        rows |= {f"{INFO}/target_eef_pose/{k}": v for k, v in action_to_target(self._session.env, labels).items()}
        rows |= {f"{INFO}/subtask_term_signals/{k}": v for k, v in self._session.subtask_signals().items()}
        # copied, because the environment may reuse its buffers when it steps
        return {key: value.clone() for key, value in rows.items()}

    def after_step(self, before: Mapping[str, Tensor], active: Tensor) -> None:
        """Add the step that was just taken to the episodes of active environments. `active` has shape (N,)."""
        self._episodes.add(dict(before) | rows_after_step(self._session), active)

    def cut(self, env_id: int, length: int) -> None:
        """Forget all but the first `length` steps of an episode."""
        self._episodes.cut(env_id, length)

    def read(self, env_id: int) -> Tree:
        """An episode's arrays by path, "actions" and the initial state among them."""
        return self._episodes.read(env_id)
