"""Draws the physics of each attempt, so that policies do not come to rely on one mass or one friction."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from apprentice.augment.cfg import RandomiseCfg
from apprentice.sim.physics import Physics

_STREAM = 2
"""Sets this generator apart from the attempt's others: physics does not change what else is drawn."""


def draw_physics(seed: int, number: int, objects: Sequence[str], cfg: RandomiseCfg) -> Physics:
    """The physics of an attempt.

    Args:
        seed: The run's.
        number: The attempt's.
        objects: Names of objects whose mass may vary.
        cfg: Ranges.
    """
    rng = np.random.default_rng([seed, number, _STREAM])

    def factor(low: float, high: float) -> float:
        return 1.0 if low == high == 1.0 else math.exp(rng.uniform(math.log(low), math.log(high)))

    friction = factor(*cfg.friction)
    masses = {name: factor(*cfg.mass) for name in objects}
    return Physics(mass={name: mass for name, mass in masses.items() if mass != 1.0}, friction=friction)
