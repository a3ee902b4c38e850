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


_LOOKED_AT = 12
"""Poses of a path at which it is seen how far the arm gets."""
_HALVINGS = 7


def outside_m(space: Space, path: Array) -> float | None:
    """Distance (m) between the first pose of a path that the arm cannot reach and where it gets on the way there.

    Args:
        space: The arm.
        path: Poses of the end effector. Shape (L, 4, 4).

    Returns:
        None if it reaches all that was looked at, or cannot turn the hand as it should.
    """
    joints = space.joints
    here = space.hand(joints)
    for place in np.unique(np.linspace(0, len(path) - 1, _LOOKED_AT).astype(int)):
        wanted = path[place]
        found = space.reach(wanted, joints)
        if found is not None:
            joints, here = found, wanted
            continue
        way = wanted[:3, 3] - here[:3, 3]
        reached, out = 0.0, 1.0
        for _ in range(_HALVINGS):
            share = (reached + out) / 2
            pose = wanted.copy()
            pose[:3, 3] = here[:3, 3] + share * way
            found = space.reach(pose, joints)
            if found is None:
                out = share
            else:
                joints, reached = found, share
        return (1 - reached) * float(np.linalg.norm(way)) if reached else None
    return None
