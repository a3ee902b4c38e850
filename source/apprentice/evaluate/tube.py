"""The tube of states around demos that successful episodes keep to, and the first step at which a rollout leaves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from apprentice.evaluate.ways import Channel, Floats, Way, features

USUAL = 0.95
"""Share of successful episodes that are within the usual distance from the demos, for each two things and stage; and
share that never leave the tube at all."""
LEAST_M = 0.005
"""What is always usual: nearer things are not told apart."""
LEAST_WIDTH = 1.25
"""Width of the tube, in usual distances, at least."""

Key = tuple[int, Channel | None]
"""A stage of the task, and what is watched in it; None is the time."""
Measured = dict[Key, Floats]
Kind = Literal["left", "late", "order"]
"""Out of the tube; within it, but too long in one subtask; subtasks done in an order that no demo has."""


@dataclass(kw_only=True, frozen=True)
class Exit:
    """The first step at which a rollout was not where successful episodes are."""

    step: int
    kind: Kind
    stage: int
    """What had been done of the task, as `Way.stages` says."""
    channel: Channel | None = None
    """What was out of place; for "left"."""
    value: float = 0.0
    """Distance from the nearest demo (m), or steps in the subtask."""
    usual: float = 0.0
    """What 95 % of successful episodes stay within."""
    demo: str | None = None
    """The demo that it was nearest to in what was out of place."""
    demo_step: int | None = None


class Tube:
    """What demos show in each stage of the task, and how far successful episodes are from it."""

    def __init__(self, demos: Sequence[Way], successes: Sequence[Way], symmetry: Mapping[str, int]) -> None:
        """Learn it.

        Args:
            demos: What rollouts are held against.
            successes: Other successful episodes, by which it is measured what is usual. At least one.
            symmetry: Order of rotational symmetry of objects about their vertical axis.
        """
        self._symmetry = symmetry
        self._names = [demo.name for demo in demos]
        seen: dict[tuple[int, Channel], list[Floats]] = {}
        origins: dict[int, list[NDArray[np.int64]]] = {}
        for number, demo in enumerate(demos):
            stages, found = demo.stages, features(demo, symmetry)
            for stage in np.unique(stages).tolist():
                rows = np.flatnonzero(stages == stage)
                origins.setdefault(stage, []).append(np.column_stack((np.full(len(rows), number), rows)))
                for channel, values in found.items():
                    seen.setdefault((stage, channel), []).append(values[rows])
        self._trees = {key: KDTree(np.concatenate(values)) for key, values in seen.items()}
        self._origins = {stage: np.concatenate(rows) for stage, rows in origins.items()}
        measured = [self._measure(way) for way in successes]
        self._usual = {
            key: max(float(np.quantile(values, USUAL)), 0.0 if key[1] is None else LEAST_M)
            for key, values in _largest(measured).items()
        }
        strained = [max(values.max() / self._usual[key] for key, values in one.items()) for one in measured]
        self.width = max(LEAST_WIDTH, float(np.quantile(strained, USUAL)) if strained else 0.0)
        """How many usual distances, or times, it takes to be outside."""

    def exit(self, way: Way) -> Exit | None:
        """Where a rollout first leaves the tube; None if it never does."""
        stages = way.stages
        unknown = [step for step, stage in enumerate(stages.tolist()) if stage not in self._origins]
        found: list[Exit] = [Exit(step=unknown[0], kind="order", stage=int(stages[unknown[0]]))] if unknown else []
        strains = [np.inf] * len(found)
        for (stage, channel), values in self._measure(way).items():
            usual = self._usual.get((stage, channel))
            if usual is None:
                continue  # no success was seen in this stage
            beyond = np.flatnonzero(values > self.width * usual)
            if not len(beyond):
                continue
            step, value = int(np.flatnonzero(stages == stage)[beyond[0]]), float(values[beyond[0]])
            kind: Kind = "late" if channel is None else "left"
            found.append(Exit(step=step, kind=kind, stage=stage, channel=channel, value=value, usual=usual))
            strains.append(value / usual)
        if not found:
            return None
        # of several things that leave at the same step, the one that is furthest out
        first = min(range(len(found)), key=lambda index: (found[index].step, -strains[index]))
        return self._with_demo(found[first], way)

    def _measure(self, way: Way) -> Measured:
        """Distances from the demos at the steps of each stage (m), and under None the steps spent in it so far."""
        stages, found = way.stages, features(way, self._symmetry)
        measured: Measured = {}
        for stage in np.unique(stages).tolist():
            rows = np.flatnonzero(stages == stage)
            measured[stage, None] = np.arange(1, len(rows) + 1, dtype=np.float64)
            for channel, values in found.items():
                tree = self._trees.get((stage, channel))
                if tree is not None:
                    measured[stage, channel] = np.asarray(tree.query(values[rows])[0])
        return measured

    def _with_demo(self, exit: Exit, way: Way) -> Exit:
        if exit.channel is None:
            return exit
        there = features(way, self._symmetry)[exit.channel][exit.step]
        row = int(self._trees[exit.stage, exit.channel].query(there)[1])
        number, step = self._origins[exit.stage][row].tolist()
        return replace(exit, demo=self._names[number], demo_step=step)


def _largest(measured: Sequence[Measured]) -> dict[Key, list[float]]:
    """Of each episode, the largest of what was measured."""
    found: dict[Key, list[float]] = {}
    for one in measured:
        for key, values in one.items():
            found.setdefault(key, []).append(float(values.max()))
    return found
