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

_LOOKED_AT = 12
"""Poses of a path at which it is seen how far the arm gets."""
_HALVINGS = 7
"""Times that the gap is halved within which the arm stops: to a hundredth of it."""
_FINEST_M = 0.015
"""Distance between poses below which none is looked at between them."""
_SLOPE = 0.3
"""Slack at the ends of a piece of the way, as a share of its length, below which its middle is looked at."""


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
    """Follow a path, looking at a few of its poses, and at more of them where the scene is near.

    Args:
        space: The arm.
        path: Poses of the end effector, from where it is on. Shape (L, 4, 4).
        places: Which to look at, in order. The first pose is given, and not judged.
        seed: Joint positions there. Shape (K,).
        slack: Judges the distances.
    """
    seen = [(0, slack(0, space.distances(seed)), seed)]
    for place in places:
        joints = space.reach(path[place], seen[-1][2])
        if joints is None:
            return Look(problem="unreachable", joints=seen[-1][2])
        seen.append((place, slack(place, space.distances(joints)), joints))
        if seen[-1][1] < 0:
            return Look(problem="collides", joints=joints)
    for one, other in itertools.pairwise(seen):
        if not _free_between(space, path, one, other, slack):
            return Look(problem="collides", joints=seen[-1][2])
    return Look(problem=None, joints=seen[-1][2])


def _free_between(
    space: Space, path: Array, one: tuple[int, float, Array], other: tuple[int, float, Array], slack: Slack
) -> bool:
    """Whether nothing is in the way between two places; each is an index, the slack and the joints there."""
    first, last = one[0], other[0]
    apart = float(np.linalg.norm(path[last, :3, 3] - path[first, :3, 3]))
    if last - first < 2 or apart < _FINEST_M or min(one[1], other[1]) > apart * _SLOPE:
        return True
    middle = (first + last) // 2
    joints = space.reach(path[middle], one[2])
    if joints is None:
        return True
    between = (middle, slack(middle, space.distances(joints)), joints)
    return between[1] >= 0 and all(
        _free_between(space, path, *pair, slack) for pair in ((one, between), (between, other))
    )


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
