"""The scripted way through sorting."""

from __future__ import annotations

from apprentice.tasks.oracle import Oracle, pick_and_place
from apprentice.tasks.registry import TaskInfo

from .mdp.sizes import BINS, WIDTHS_M, bin_x_m, rest_m


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """Put each object into its bin, one after the other."""
    (eef,) = info.eef_names
    stages = [pick_and_place(name, BINS, height_m=rest_m(name), at_m=(bin_x_m(name), 0.0, 0.0)) for name in WIDTHS_M]
    return (Oracle(eef=eef, stages=tuple(stages)),)
