"""What a mishap left behind: whether it changed anything, whether the task can still be done, and the scene at rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apprentice.evaluate.contracts import Laboratory, Outcome
from apprentice.evaluate.robustness.scene import Array, Bools, Scene

SOONEST_STEPS = 8
"""Control steps after a mishap before which nothing counts as at rest."""
LATEST_STEPS = 60
"""Control steps after which the scene is taken as it is, and no state is kept."""
CALM_STEPS = 3
"""Control steps in a row for which objects at rest do not move."""
CALM_M = 0.001
"""Most that an object at rest moves in a control step."""
CHANGED_M = 0.02
"""Displacement of the struck object from which on a mishap changed something."""
CHANGED_COSINE = 0.94
"""Cosine of its rotation, 20 degrees, below which it did, too."""
GRASPED_M = 0.03
"""Distance of an object's origin from the middle of a closed hand below which it may be between the fingers."""
BELOW_M = 0.03
"""Depth below where the lowest object began from which on an object has fallen off."""


@dataclass(kw_only=True, frozen=True)
class Region:
    """Where a task's objects can be reached: the widest ranges that its resets draw from, with a margin."""

    low_m: tuple[float, float]
    """Smallest x and y (environment frame)."""
    high_m: tuple[float, float]
    """Largest x and y."""

    def holds(self, position: Array) -> bool:
        """Whether a position is inside. Shape (3,)."""
        return bool((position[:2] >= self.low_m).all() and (position[:2] <= self.high_m).all())


@dataclass
class _After:
    """What is known of one rollout's mishap."""

    place: int = -1
    """The struck object, -1 before."""
    position: Array | None = None
    """Where it was."""
    rotation: Array | None = None
    steps: int = 0
    """Control steps since then."""
    calm: int = 0
    outcome: Outcome | None = None
    """None until it is known."""


class Aftermath:
    """Watches what follows a mishap until everything lies still."""

    def __init__(self, session: Laboratory, scene: Scene, kind: str, region: Region | None) -> None:
        """Watch `scene`; `kind` is what states are called, `region` where objects can be reached, if that is known."""
        self._session, self._scene, self._kind, self._region = session, scene, kind, region
        self._rollouts = [_After() for _ in range(session.num_envs)]

    def begin(self, env_ids: Sequence[int]) -> None:
        """New rollouts began."""
        for env_id in env_ids:
            self._rollouts[env_id] = _After()

    def strike(self, env_id: int, place: int) -> None:
        """An object is struck now."""
        position, rotation = self._scene.position[env_id, place], self._scene.rotation[env_id, place]
        self._rollouts[env_id] = _After(place, position.copy(), rotation.copy())

    def advance(self, acting: Bools) -> None:
        """Look at the scene after a step."""
        settled: list[int] = []
        for env_id in np.flatnonzero(acting).tolist():
            after = self._rollouts[env_id]
            if after.place < 0 or after.outcome is not None:
                continue
            after.steps += 1
            after.calm = after.calm + 1 if self._is_calm(env_id) else 0
            if after.steps >= SOONEST_STEPS and after.calm >= CALM_STEPS:
                settled.append(env_id)
            elif after.steps >= LATEST_STEPS:
                after.outcome = Outcome(not_counted=self._why_not(env_id, after), kind=self._kind)
        if not settled:
            return
        states = self._session.state()
        for env_id in settled:
            after = self._rollouts[env_id]
            why_not = self._why_not(env_id, after)
            state = {key: value[env_id].tolist() for key, value in states.items()}
            after.outcome = Outcome(not_counted=why_not, kind=self._kind, state=None if why_not else state)

    def outcome(self, env_id: int) -> Outcome:
        """What the mishap came to in a rollout that ended."""
        known = self._rollouts[env_id].outcome
        return known or Outcome(not_counted="it ended before everything lay still", kind=self._kind)

    def _is_calm(self, env_id: int) -> bool:
        """Whether nothing moves, and no hand is closed on an object: from such a state one could not begin."""
        scene = self._scene
        grasping = scene.closed[env_id][:, None] & (scene.distance[env_id] < GRASPED_M)
        return not grasping.any() and bool((scene.moved[env_id] < CALM_M).all())

    def _why_not(self, env_id: int, after: _After) -> str | None:
        """Why the rollout does not count, if it does not."""
        scene = self._scene
        assert after.position is not None and after.rotation is not None
        shift = np.linalg.norm(scene.position[env_id, after.place] - after.position)
        turn = (np.trace(scene.rotation[env_id, after.place] @ after.rotation.T) - 1) / 2
        if shift < CHANGED_M and turn > CHANGED_COSINE:
            return f"the {self._kind} changed nothing"
        for place, name in enumerate(scene.objects):
            position = scene.position[env_id, place]
            if position[2] < scene.began[env_id, :, 2].min() - BELOW_M:
                return f"lost: {name} fell off"
            if self._region is not None and not self._region.holds(position):
                return f"lost: {name} is out of reach"
        return None
