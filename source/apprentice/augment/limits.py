"""Whether an arm can follow a path: within its joint limits, and without touching what it should not."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Problem = Literal["unreachable", "collides"]
"""Why a path cannot be followed."""


class Space(Protocol):
    """An arm in a scene, at one moment: `apprentice.sim.collision.Moment` in the simulator."""

    @property
    def joints(self) -> Array:
        """Where its joints are. Shape (K,)."""
        ...

    @property
    def low(self) -> Array:
        """Lower joint limits. Shape (K,)."""
        ...

    @property
    def high(self) -> Array:
        """Upper joint limits. Shape (K,)."""
        ...

    def reach(self, eef_pose: Array, seed: Array) -> Array | None:
        """Joint positions that bring the end effector to a pose (4, 4), found from a seed, or None. Shape (K,)."""
        ...

    def hand(self, joints: Array) -> Array:
        """Pose of the end effector. Shape (4, 4)."""
        ...

    def distances(self, joints: Array) -> dict[tuple[str, str], float]:
        """Metres between what moves with the arm and what does not, for pairs that are near each other."""
        ...


@dataclass(kw_only=True, frozen=True)
class Look:
    """What looking along a path gave."""

    problem: Problem | None
    joints: Array
    """Joint positions at the last pose that was reached. Shape (K,)."""


Slack = Callable[[int, dict[tuple[str, str], float]], float]
"""How much nearer (m) things might be at a place of a path than they are; negative if they are too near. Takes the
index of the pose and the distances there."""


def look_along(space: Space, path: Array, places: Sequence[int], seed: Array, slack: Slack) -> Look:
    """Follow a path, looking at a few of its poses, and between those where the scene is near.

    Args:
        space: The arm.
        path: Poses of the end effector. Shape (L, 4, 4).
        places: Which to look at, in order.
        seed: Joint positions to start from. Shape (K,).
        slack: Judges the distances.
    """
    joints, seen = seed, []
    for place in places:
        found = space.reach(path[place], joints)
        if found is None:
            return Look(problem="unreachable", joints=joints)
        joints = found
        left = slack(place, space.distances(joints))
        if left < 0:
            return Look(problem="collides", joints=joints)
        seen.append((place, left, joints))
    for (before, left_before, there), (after, left_after, _) in itertools.pairwise(seen):
        apart = float(np.linalg.norm(path[after, :3, 3] - path[before, :3, 3]))
        if after - before > 1 and min(left_before, left_after) < apart / 4:
            between = (before + after) // 2
            found = space.reach(path[between], there)
            if found is not None and slack(between, space.distances(found)) < 0:
                return Look(problem="collides", joints=joints)
    return Look(problem=None, joints=joints)
