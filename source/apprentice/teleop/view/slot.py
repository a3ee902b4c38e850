"""A place in shared memory for the newest state: one process writes without ever waiting, another reads."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawArray
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apprentice.sim.scene_model import SceneModel

_SEQUENCE, _TIME, _HEAD = 0, 1, 2

_STILL = 1e-5
"""Smaller changes (m, rad, or of a quaternion) can't be seen: a scene at rest trembles by less."""


@dataclass(kw_only=True, frozen=True)
class Snap:
    """What is to be drawn."""

    number: int
    """Counts up."""
    time_s: float
    """When it was written, on `time.monotonic`."""
    states: Mapping[str, NDArray[np.float64]]
    """Scene state of one environment, as far as it is visible."""
    targets: Mapping[str, NDArray[np.float64]]
    """Where end effectors are asked to be, environment frame. Shapes (4, 4)."""


class StateSlot:
    """The newest state. Can be handed to a process that is being started; needs no cleaning up, however processes end.

    The sequence number is odd while the state is being written. A reader that saw it odd, or change, looks again.
    """

    def __init__(self, scene: SceneModel, eefs: Sequence[str]) -> None:
        """Make room for the states of `scene` and the targets of `eefs`."""
        widths = {f"{entity}/root_pose": 7 for entity in scene.frames}
        widths |= {f"{entity}/joint_position": len(places) for entity, places in scene.joints.items()}
        ends = _HEAD + np.cumsum([*widths.values(), *(16 for _ in eefs)])
        rows = [slice(int(start), int(end)) for start, end in zip((_HEAD, *ends[:-1]), ends, strict=True)]
        self._states = dict(zip(widths, rows, strict=False))
        self._targets = dict(zip(eefs, rows[len(widths) :], strict=True))
        self._shared: Any = RawArray("d", int(ends[-1]))
        self._next = np.zeros(int(ends[-1]))
        self._map()

    def _map(self) -> None:
        self._values: NDArray[np.float64] = np.frombuffer(self._shared, dtype=np.float64)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_values"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._map()

    def write(self, states: Mapping[str, Any], targets: Mapping[str, Any]) -> None:
        """Replace the state, unless nothing moved. Only one thread may."""
        values, following = self._values, self._next
        for name, place in self._states.items():
            following[place] = np.asarray(states[name]).reshape(-1)
        for name, place in self._targets.items():
            following[place] = np.asarray(targets[name]).reshape(-1) if name in targets else 0.0
        if values[_SEQUENCE] > 0 and float(np.abs(following[_HEAD:] - values[_HEAD:]).max()) < _STILL:
            return
        values[_SEQUENCE] += 1
        values[_HEAD:] = following[_HEAD:]
        values[_TIME] = time.monotonic()
        values[_SEQUENCE] += 1

    def read(self) -> Snap | None:
        """The newest state; None if there is none yet, or it is just being replaced."""
        before = float(self._values[_SEQUENCE])
        values = self._values.copy()
        if before == 0 or before % 2 or self._values[_SEQUENCE] != before:
            return None
        targets = {name: values[place].reshape(4, 4) for name, place in self._targets.items()}
        return Snap(
            number=int(before) // 2,
            time_s=float(values[_TIME]),
            states={name: values[place] for name, place in self._states.items()},
            # a slot without a target holds zeros, which no pose does
            targets={name: pose for name, pose in targets.items() if pose[3, 3] == 1.0},
        )
