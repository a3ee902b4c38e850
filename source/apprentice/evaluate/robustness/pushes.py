"""Pushes: one object gets a kick at some time during a rollout."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from apprentice.evaluate.contracts import Laboratory, Observations, Outcome

STEPS = (10, 100)
"""Control steps of a rollout between which the push comes."""


class Pushes:
    """Pushes one object, at a time and in a direction along the ground that are drawn from the rollout's seed."""

    def __init__(self, session: Laboratory, *, speed_m_s: float) -> None:
        """Push objects of `session` at this speed."""
        self._session, self._speed, self._objects = session, speed_m_s, session.movable_objects
        count = session.num_envs
        self._left = torch.full((count,), -1)
        self._what = [""] * count
        self._velocity = torch.zeros(count, 6)

    def begin(self, env_ids: Sequence[int], seeds: Sequence[int], obs: Observations) -> None:
        """Draw when, what and where to."""
        for env_id, seed in zip(env_ids, seeds, strict=True):
            rng = np.random.default_rng([seed, 1])
            angle = rng.uniform(0, 2 * math.pi)
            self._left[env_id] = int(rng.integers(*STEPS))
            self._what[env_id] = self._objects[int(rng.integers(len(self._objects)))]
            self._velocity[env_id, 0], self._velocity[env_id, 1] = (
                self._speed * math.cos(angle),
                self._speed * math.sin(angle),
            )

    def before(self, actions: torch.Tensor, acting: torch.Tensor) -> torch.Tensor:
        """Push where it is time."""
        for env_id in (acting & (self._left == 0)).nonzero().flatten().tolist():
            self._session.move_object(self._what[env_id], [env_id], velocities=self._velocity[env_id : env_id + 1])
        self._left -= acting.long()
        return actions

    def after(self, obs: Observations, acting: torch.Tensor) -> None:
        """Nothing to look at."""

    def outcome(self, env_id: int) -> Outcome:
        """It counts if the push came."""
        return Outcome(not_counted=None if self._left[env_id] < 0 else "it ended before the push came")
