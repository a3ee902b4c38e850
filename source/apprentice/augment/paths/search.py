"""RRT-Connect in joint space: a way around obstacles where going over them does not work (Kuffner and LaValle, 2000).

Two trees grow from start and goal, in turn towards a random point and towards each other, until they meet.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEP = 0.2
"""Distance by which a tree grows (rad or m in joint space, Euclidean)."""
RESOLUTION = 0.05
"""Distance between points that are looked at."""
MOST_NODES = 400
"""Nodes of both trees together after which it gives up."""
MOST_DRAWS = 600
"""Points drawn after which it gives up: where a tree is shut in, few of them become nodes."""
SHORT_CUTS = 40
"""Pairs of points that it tries to join directly."""


def find_way(
    start: Array, goal: Array, low: Array, high: Array, free: Callable[[Array], bool], rng: np.random.Generator
) -> Array | None:
    """A way from start to goal that is free at every `RESOLUTION`, or None if none was found.

    Args:
        start: Joint positions, taken to be free. Shape (K,).
        goal: Likewise.
        low: Lower limits; infinite ones are drawn within a turn of start and goal. Shape (K,).
        high: Upper limits.
        free: Whether nothing is touched at some joint positions.
        rng: Where points are drawn.

    Returns:
        Joint positions, straight between each other. Shape (V, K), V at least 2.
    """
    if _straight(start, goal, free):
        return np.stack((start, goal))
    low = np.maximum(low, np.minimum(start, goal) - np.pi)
    high = np.minimum(high, np.maximum(start, goal) + np.pi)
    if not free(goal):
        return None
    trees = (_Tree(start), _Tree(goal))
    for draw in range(MOST_DRAWS):
        if len(trees[0].points) + len(trees[1].points) >= MOST_NODES:
            break
        growing = draw % 2
        one, other = trees[growing], trees[1 - growing]
        reached = one.grow(rng.uniform(low, high), free, once=True)
        if reached is not None:
            met = other.grow(one.points[reached], free, once=False)
            if met is not None and np.array_equal(other.points[met], one.points[reached]):
                halves = one.way_to(reached), other.way_to(met)[::-1][1:]
                way = np.concatenate(halves)
                return _shortened(way if growing == 0 else way[::-1], free, rng)
    return None


class _Tree:
    def __init__(self, root: Array) -> None:
        self.points = [root]
        self._parents = [-1]

    def grow(self, towards: Array, free: Callable[[Array], bool], *, once: bool) -> int | None:
        """Grow from the nearest node towards a point, by one step or until something is in the way.

        Returns:
            The last new node, or the node that is at the point already; None if there is none.
        """
        nearest = int(np.argmin(((np.stack(self.points) - towards) ** 2).sum(1)))
        last = None
        while True:
            way = towards - self.points[nearest]
            length = float(np.sqrt(way @ way))
            if length == 0.0:
                return nearest
            point = towards if length <= STEP else self.points[nearest] + way * (STEP / length)
            if not _straight(self.points[nearest], point, free) or not free(point):
                return last
            self.points.append(point)
            self._parents.append(nearest)
            nearest = last = len(self.points) - 1
            if once:
                return last

    def way_to(self, node: int) -> Array:
        """From the root to a node. Shape (V, K)."""
        way = []
        while node >= 0:
            way.append(self.points[node])
            node = self._parents[node]
        return np.stack(way[::-1])


def _straight(one: Array, other: Array, free: Callable[[Array], bool]) -> bool:
    """Whether nothing is between two points."""
    count = int(np.ceil(np.sqrt(((other - one) ** 2).sum()) / RESOLUTION))
    return all(free(one + (other - one) * (k / count)) for k in range(1, count))


def _shortened(way: Array, free: Callable[[Array], bool], rng: np.random.Generator) -> Array:
    points = list(way)
    for _ in range(SHORT_CUTS):
        if len(points) < 3:
            break
        first, last = sorted(rng.choice(len(points), 2, replace=False))
        if last - first > 1 and _straight(points[first], points[last], free):
            points[first + 1 : last] = []
    return np.stack(points)
