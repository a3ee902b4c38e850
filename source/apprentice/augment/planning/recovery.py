"""Pushes: the hand is led off its way for a few steps and let go, so that demos show how to come back.

The label of a pushed step is the way as it was meant, seen from where the push led: SkillMimicGen's initiation noise
(Garrett et al. 2024) at the start of a segment, and on the way there; DART (Laskey et al. 2017) with noise that lasts.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from apprentice.augment.cfg import RecoveryCfg

_SHORTEST = 4
"""Pushes of fewer control steps are noise."""
_SMALLEST = 0.3
"""Smallest push, as a share of the largest."""


def pushes(free: Tensor, start: int, scale: float, rng: np.random.Generator, cfg: RecoveryCfg) -> Tensor:
    """Offsets of the targets of a plan: at the start of its segment and on the way there, where chance wants it.

    Args:
        free: Steps at which the hand may be pushed: not near contact. Shape (L,), bool.
        start: First step of the segment; those before it are the way to it.
        scale: Factor on their size.
        rng: Where they are drawn.
        cfg: How often, how far, how long.

    Returns:
        Translation (m) and rotation vector (rad), environment axes. Shape (L, 6).
    """
    offsets = torch.zeros(len(free), 6, dtype=torch.float64)
    if rng.random() < cfg.at_start:
        _push(offsets, free, start - cfg.steps // 2, scale, rng, cfg)
    if rng.random() < cfg.in_transit:
        _push(offsets, free, int(rng.integers(max(1, start))), scale, rng, cfg)
    return offsets


def _push(offsets: Tensor, free: Tensor, first: int, scale: float, rng: np.random.Generator, cfg: RecoveryCfg) -> None:
    """Add one push that begins at step `first`, or earlier where contact is near."""
    size = scale * rng.uniform(_SMALLEST, 1.0, 2) * (cfg.offset_m, cfg.turn_rad)
    ways = rng.standard_normal((2, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    first = max(0, first)
    taken = (~free[first : first + cfg.steps]).nonzero()
    end = first + int(taken[0]) if len(taken) else min(first + cfg.steps, len(free))
    begin = max(0, end - cfg.steps)
    if end - begin < _SHORTEST or not bool(free[begin:end].all()):
        return
    phase = (torch.arange(end - begin, dtype=torch.float64) + 0.5) / (end - begin)
    swell = torch.sin(math.pi * phase) ** 2  # no jump at either end
    offsets[begin:end] += swell[:, None] * torch.from_numpy((size[:, None] * ways).reshape(6))
