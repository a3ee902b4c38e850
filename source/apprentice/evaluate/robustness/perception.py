"""A policy whose eyes are not perfect, or whose hands are late: wrapped, so that rollouts need not know."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch

from apprentice.evaluate.contracts import Laboratory, Observations, Policy


class ErringSight:
    """A policy that sees the poses of objects and robots with errors, drawn for each rollout from its seed."""

    def __init__(
        self, policy: Policy, session: Laboratory, *, position_m: float, rotation_rad: float, constant: bool
    ) -> None:
        """Wrap a policy.

        Args:
            policy: What acts.
            session: What is looked at.
            position_m: Standard deviation of positions along each axis (m).
            rotation_rad: Standard deviation of orientations about each axis (rad).
            constant: Whether errors stay for a whole rollout.
        """
        self._policy, self._session, self._constant = policy, session, constant
        names = [path.split("/")[1] for path in session.state() if path.endswith("/root_pose")]
        self._names = list(dict.fromkeys(names))
        self._scale = torch.tensor([position_m] * 3 + [rotation_rad] * 3)

    def start(self, num_envs: int) -> None:
        """Make room for this many environments."""
        self._policy.start(num_envs)
        self._errors = torch.zeros(num_envs, len(self._names), 6)
        self._draws = [torch.Generator() for _ in range(num_envs)]

    def reset(self, env_ids: Sequence[int], seeds: Sequence[int]) -> None:
        """Begin rollouts."""
        self._policy.reset(env_ids, seeds)
        for env_id, seed in zip(env_ids, seeds, strict=True):
            self._draws[env_id].manual_seed(seed)
            self._draw(env_id)

    def act(self, obs: Observations, env_ids: torch.Tensor | None = None) -> torch.Tensor:
        """Act on what is seen with errors; what is no pose or no reading of one is seen as it is."""
        rows = torch.arange(len(self._draws)) if env_ids is None else env_ids
        if not self._constant:
            for env_id in rows.tolist():
                self._draw(env_id)
        seen = self._session.sense({name: self._errors[:, place] for place, name in enumerate(self._names)})
        return self._policy.act({**obs, **{name: value[rows] for name, value in seen.items()}}, env_ids)

    def _draw(self, env_id: int) -> None:
        shape = self._errors[env_id].shape
        self._errors[env_id] = torch.randn(shape, generator=self._draws[env_id]) * self._scale


class LateHands:
    """A policy whose actions come some control steps late; until the first one comes, the robot stays where it is."""

    def __init__(self, policy: Policy, session: Laboratory, *, steps: int) -> None:
        """Wrap a policy.

        Args:
            policy: What acts.
            session: What is acted on.
            steps: Control steps from an observation to the action that it led to, 1 or more.
        """
        self._policy, self._session, self._steps = policy, session, steps

    def start(self, num_envs: int) -> None:
        """Make room for this many environments."""
        self._policy.start(num_envs)
        self._on_the_way: list[deque[torch.Tensor]] = [deque() for _ in range(num_envs)]

    def reset(self, env_ids: Sequence[int], seeds: Sequence[int]) -> None:
        """Begin rollouts."""
        self._policy.reset(env_ids, seeds)
        for env_id in env_ids:
            self._on_the_way[env_id].clear()

    def act(self, obs: Observations, env_ids: torch.Tensor | None = None) -> torch.Tensor:
        """What the policy wanted some steps ago."""
        chosen = self._policy.act(obs, env_ids)
        rows = range(len(self._on_the_way)) if env_ids is None else env_ids.tolist()
        actions = self._session.neutral_actions()[list(rows)].to(chosen)
        for place, env_id in enumerate(rows):
            waiting = self._on_the_way[env_id]
            waiting.append(chosen[place].clone())
            if len(waiting) > self._steps:
                actions[place] = waiting.popleft()
        return actions
