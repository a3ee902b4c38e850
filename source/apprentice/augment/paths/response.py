"""How far the hand trails what it is told, learnt from source demos, and what to tell it so that it follows a path.

Targets of relative controllers run ahead of the hand, by 20 cm and more: the distance is what makes it move. A bridge
that put targets on its path would cut corners and arrive late.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apprentice.poses.arrays import exp_matrix, log_matrix

Array = NDArray[np.float64]

_LEAST_EXPLAINED = 0.5
"""Share of the hand's motion that the law must explain to be believed."""
_LEAST_GAIN = 0.02
_MOST_MOMENTUM = 0.9


@dataclass(kw_only=True, frozen=True)
class Law:
    """The hand moves by `momentum` times its last motion plus `gain` times the distance to the target, each step."""

    momentum: float
    gain: float


AT_ONCE = Law(momentum=0.0, gain=1.0)
"""A hand that is where it was told to be one step later."""


@dataclass(kw_only=True, frozen=True)
class Response:
    """How a hand follows its targets."""

    moving: Law = AT_ONCE
    turning: Law = AT_ONCE

    def targets(self, start: Array, path: Array) -> Array:
        """What to tell a hand at rest so that it follows a path.

        Args:
            start: Where it is. Shape (4, 4).
            path: Where it shall be after each step. Shape (L, 4, 4).

        Returns:
            Target of each step. Shape (L, 4, 4).
        """
        before = np.concatenate((start[None], path[:-1]))
        moves = path[:, :3, 3] - before[:, :3, 3]
        turns = log_matrix(path[:, :3, :3] @ np.swapaxes(before[:, :3, :3], 1, 2))
        targets = before.copy()
        targets[:, :3, 3] += _lead(moves, self.moving)
        targets[:, :3, :3] = exp_matrix(_lead(turns, self.turning)) @ before[:, :3, :3]
        return targets


def fit_response(hands: Iterable[tuple[Array, Array]]) -> Response:
    """Learn the response from demos. What they do not show is taken to be immediate.

    Args:
        hands: For each demo the end effector's pose before each step and the target of the step. Shape (T, 4, 4) each.
    """
    moving: list[tuple[Array, Array, Array]] = []
    turning: list[tuple[Array, Array, Array]] = []
    for eef, target in hands:
        moves = np.diff(eef[:, :3, 3], axis=0)
        turns = log_matrix(eef[1:, :3, :3] @ np.swapaxes(eef[:-1, :3, :3], 1, 2))
        leads = log_matrix(target[:, :3, :3] @ np.swapaxes(eef[:, :3, :3], 1, 2))
        moving.append((moves[:-1], (target - eef)[1:-1, :3, 3], moves[1:]))
        turning.append((turns[:-1], leads[1:-1], turns[1:]))
    position = _fit(moving)
    # the same controller moves and turns the hand: demos without much turning say enough about it by their moves
    return Response(moving=position or AT_ONCE, turning=_fit(turning) or position or AT_ONCE)


def _fit(parts: list[tuple[Array, Array, Array]]) -> Law | None:
    before, lead, after = (np.concatenate([part[i].ravel() for part in parts]) for i in range(3))
    total = float(after @ after)
    if total < 1e-9:
        return None
    (momentum, gain), *_ = np.linalg.lstsq(np.stack((before, lead), 1), after, rcond=None)
    left = after - momentum * before - gain * lead
    if 1 - float(left @ left) / total < _LEAST_EXPLAINED or gain < _LEAST_GAIN or not 0 <= momentum < _MOST_MOMENTUM:
        (gain,), *_ = np.linalg.lstsq(lead[:, None], after, rcond=None)
        left = after - gain * lead
        if 1 - float(left @ left) / total < _LEAST_EXPLAINED or gain < _LEAST_GAIN:
            return None
        momentum = 0.0
    return Law(momentum=float(momentum), gain=float(gain))


def _lead(motions: Array, law: Law) -> Array:
    lead = motions.copy()
    lead[1:] -= law.momentum * motions[:-1]
    return lead / law.gain
