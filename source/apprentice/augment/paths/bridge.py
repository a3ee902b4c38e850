"""The way from where the end effector is to where a segment starts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apprentice.poses import interpolate
from apprentice.poses.arrays import exp_matrix, log_matrix

from .limits import Look, Problem, Space, look_along
from .profile import StepLimits, timed
from .search import RESOLUTION, find_way

Array = NDArray[np.float64]

Kind = Literal["straight", "raised", "searched", "unchecked", "fixed"]
"""How a bridge was found: on the straight way; over raised via-points; by search in joint space; without looking; or as
Isaac Lab does."""

_RAISES_M = (0.04, 0.09, 0.16)
"""How far above the higher of its ends a raised way leads."""
_LEAST_RAISE_M = 0.005
_APART_M = 0.05
"""Distance between the places of a way that are looked at, at first."""
_MOST_PLACES = 9
_RAMP_M = 0.04
"""Clearance grows to its full size over this distance from either end."""
_MOST_OVERLAP_M = 0.008
"""Overlap at the end of a way that is put up with: what is held lies otherwise in the hand than it did."""
_CLOSE_M = 0.03
"""What is nearer to the hand at the beginning is close."""
_TOUCH_M = 0.002
"""Overlap that counts as mere touching: resting contacts and rounding."""


@dataclass(kw_only=True, frozen=True)
class Way:
    """A bridge, or why there is none."""

    path: Array
    """Pose of the hand after each step. Shape (L, 4, 4)."""
    kind: Kind
    problem: Problem | None
    joints: Array | None
    """Joint positions at its end, None if nobody looked. Shape (K,)."""
    leaving_steps: int = 0
    """Steps at its beginning in which the hand is still close to something."""


@dataclass(kw_only=True, frozen=True)
class Terms:
    """What a bridge has to keep to."""

    limits: StepLimits
    clearance_m: float
    """Distance to keep from everything, except near the ends."""
    about: str | None
    """Object that the segment is about: it may be touched near the end."""
    near_m: float
    """What counts as near."""
    drawn: frozenset[str] = frozenset()
    """Objects that come along, pushed by what is held: they may be touched anywhere."""


@dataclass(kw_only=True, frozen=True)
class _Touching:
    """What is near at the ends of a way, which are given: it may be as near close to them."""

    beginning: dict[tuple[str, str], float]
    ending: dict[tuple[str, str], float]

    def at(self, come: float, to_go: float) -> dict[tuple[str, str], float]:
        """What may be how near after so many metres, with so many to go."""
        if come < _RAMP_M and to_go < _RAMP_M:
            return self.anywhere
        return self.beginning if come < _RAMP_M else self.ending if to_go < _RAMP_M else {}

    @property
    def anywhere(self) -> dict[tuple[str, str], float]:
        """The smaller distance of both."""
        return self.beginning | {k: min(d, self.beginning.get(k, d)) for k, d in self.ending.items()}


def find_bridge(
    space: Space, start: Array, end: Array, arrival: Array | None, terms: Terms, rng: np.random.Generator
) -> Way:
    """The straight way if nothing is in it, else one over raised via-points, else one that is searched for.

    What is drawn along comes on the straight way only.

    Args:
        space: The arm in its scene.
        start: Where the hand is. Shape (4, 4).
        end: Where the segment begins. Shape (4, 4).
        arrival: Velocity there, see `timed`.
        terms: What to keep to.
        rng: Where the search draws.
    """
    goal = space.reach(end, space.joints)
    touching = _Touching(
        beginning=space.distances(space.joints),
        ending={} if goal is None else {k: d for k, d in space.distances(goal).items() if d > -_MOST_OVERLAP_M},
    )

    def way_of(kind: Kind, path: Array, clearance_m: float) -> Way:
        look = _look(space, path, start, touching, replace(terms, clearance_m=clearance_m))
        return Way(
            path=path,
            kind=kind,
            problem=look.problem,
            joints=look.joints,
            leaving_steps=_leaving_steps(start, path, touching.beginning),
        )

    way = None
    for kind, vertices in _simple_ways(start, end):
        way = way_of(kind, timed(vertices, terms.limits, arrival), terms.clearance_m)
        if way.problem != "collides" or terms.drawn:
            return way
    assert way is not None
    if goal is None:
        return way
    found = find_way(
        space.joints,
        goal,
        space.low,
        space.high,
        lambda joints: _least_slack(space.distances(joints), terms.clearance_m, touching.anywhere) >= 0,
        rng,
    )
    if found is None:
        return way
    vertices = np.concatenate((start[None], _hands(space, found), end[None]))
    for slowness in (1, 2, 4):
        # corners are rounded the less the slower the hand goes
        path = timed(vertices, _slower(terms.limits, slowness), arrival)
        way = way_of("searched", path, terms.clearance_m / 2)
        if way.problem is None:
            break
    return way


def _leaving_steps(start: Array, path: Array, beginning: dict[tuple[str, str], float]) -> int:
    if min(beginning.values(), default=math.inf) > _CLOSE_M:
        return 0
    return int((np.linalg.norm(path[:, :3, 3] - start[:3, 3], axis=1) < _RAMP_M).argmin())


def _slower(limits: StepLimits, factor: float) -> StepLimits:
    return replace(limits, speed=limits.speed / factor, turn=limits.turn / factor)


def unchecked_bridge(start: Array, end: Array, arrival: Array | None, limits: StepLimits) -> Way:
    """The straight way, where nobody can look. Arguments as for `find_bridge`."""
    return Way(path=timed(np.stack((start, end)), limits, arrival), kind="unchecked", problem=None, joints=None)


def fixed(start: Tensor, end: Tensor, interpolated: int, still: int) -> Tensor:
    """Isaac Lab's bridge: a fixed number of poses between `start` and `end`, then waiting at `end`.

    Args:
        start: Shape (4, 4).
        end: Shape (4, 4).
        interpolated: Poses between, both ends excluded.
        still: Further poses at `end`.

    Returns:
        Shape (interpolated + still, 4, 4).
    """
    fractions = torch.arange(1, interpolated + 1, dtype=start.dtype) / (interpolated + 1)
    return interpolate(start, end, torch.cat((fractions, torch.ones(still, dtype=start.dtype))))


def _simple_ways(start: Array, end: Array) -> Iterator[tuple[Kind, Array]]:
    """Straight, then up, across and down, ever higher."""
    yield "straight", np.stack((start, end))
    turn = log_matrix(end[:3, :3] @ start[:3, :3].T)
    for raised in _RAISES_M:
        top = max(start[2, 3], end[2, 3]) + raised
        up, down = start.copy(), end.copy()
        up[2, 3] = down[2, 3] = top
        across = float(np.linalg.norm(end[:2, 3] - start[:2, 3]))
        legs = np.array([top - start[2, 3], across, top - end[2, 3]])
        # turning goes along with moving, so that it takes no time of its own
        share = np.cumsum(legs) / legs.sum()
        up[:3, :3], down[:3, :3] = (
            exp_matrix(share[0] * turn) @ start[:3, :3],
            exp_matrix(share[1] * turn) @ start[:3, :3],
        )
        yield "raised", np.stack((start, up, down, end))


def _look(space: Space, path: Array, start: Array, touching: _Touching, terms: Terms) -> Look:
    path = np.concatenate((start[None], path))
    steps = np.sqrt((np.diff(path[:, :3, 3], axis=0) ** 2).sum(1))
    travelled = np.concatenate(([0.0], np.cumsum(steps)))
    length = float(travelled[-1])
    count = min(max(math.ceil(length / _APART_M), 2), _MOST_PLACES)
    places = np.unique(np.searchsorted(travelled, length * np.arange(1, count + 1) / count - 1e-9))

    def slack(place: int, distances: dict[tuple[str, str], float]) -> float:
        come, to_go = float(travelled[place]), length - float(travelled[place])
        distances = {pair: distance for pair, distance in distances.items() if pair[1] not in terms.drawn}
        if to_go < terms.near_m:
            distances = {pair: distance for pair, distance in distances.items() if pair[1] != terms.about}
        clearance = terms.clearance_m * min(1.0, come / _RAMP_M, to_go / _RAMP_M)
        return _least_slack(distances, clearance, touching.at(come, to_go))

    return look_along(space, path, [min(int(place), len(path) - 1) for place in places], space.joints, slack)


def _least_slack(
    distances: dict[tuple[str, str], float], clearance: float, allowed: dict[tuple[str, str], float]
) -> float:
    """Smallest distance beyond what is required. What is allowed to be nearer may be as near as that."""
    return min(
        (distance + _TOUCH_M - min(clearance, allowed.get(pair, clearance)) for pair, distance in distances.items()),
        default=math.inf,
    )


def _hands(space: Space, way: Array) -> Array:
    """Poses of the hand along a way in joint space, both ends excluded. Shape (V, 4, 4) from (W, K)."""
    poses = []
    for one, other in itertools.pairwise(way):
        count = max(1, math.ceil(float(np.linalg.norm(other - one)) / RESOLUTION))
        poses += [space.hand(one + (other - one) * (k / count)) for k in range(1, count + 1)]
    return np.stack(poses[:-1]) if len(poses) > 1 else np.zeros((0, 4, 4))
