"""Signals that no robot and no object makes: frozen ones and jumping ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apprentice.demos.schema import PREVIOUS

_MIN_STEPS = 10
"""Shorter demos say nothing about what should have moved."""

_LEAST_JUMP = {"m": 0.06, "rad": 0.6}
"""Jumps below this are never reported. At 20 Hz a free fall changes its pace by 0.025 m, an impact by twice that."""

_RARE = 4.0
"""How many times a signal's usual largest change of pace a jump must be."""


def is_signal(key: str, value: NDArray[Any]) -> bool:
    """Whether an array is something that was sensed step by step."""
    return (
        key.startswith(("obs/", "states/"))
        and not key.startswith(PREVIOUS)
        and "target" not in key
        and value.ndim >= 2
        and value.dtype.kind in "fu"
    )


def frozen(values: NDArray[Any]) -> bool:
    """Whether a signal is constant over a whole demo that is long enough to tell."""
    return len(values) >= _MIN_STEPS and bool((values == values[0]).all())


def must_move(key: str, value: NDArray[Any]) -> bool:
    """Whether a signal cannot stand perfectly still in any demo: a camera, the end effector, the joints."""
    last = key.rsplit("/", 1)[-1]
    return value.dtype == np.uint8 or "eef_pose/" in key or last in ("eef_pos", "joint_pos", "joint_position")


def pace(key: str, values: NDArray[Any]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """How far poses move at each step: pairs of a unit, "m" or "rad", and the largest of its parts. Shape (T-1,).

    Nothing for signals whose name does not say that they are poses, positions or joint positions.
    """
    last, width = key.rsplit("/", 1)[-1], values.shape[-1]
    steps = values.reshape(len(values), -1).astype(np.float64)
    if values.shape[1:] == (4, 4):
        yield "m", _distance(values[:, :3, 3].astype(np.float64), 3)
        yield "rad", 2 * _arcsine(_distance(values[:, :3, :3].reshape(-1, 9).astype(np.float64), 9) / np.sqrt(8))
    elif values.ndim != 2:
        return
    elif last == "root_pose" and width == 7:
        yield "m", _distance(steps[:, :3], 3)
        yield "rad", _turn(steps[:, 3:])
    elif last.endswith(("_quat", "orientations")) and width % 4 == 0:
        yield "rad", _turn(steps)
    elif last in ("joint_pos", "joint_position"):
        yield "rad", _distance(steps, 1)
    elif last.endswith(("_pos", "_positions")):
        yield "m", _distance(steps, 3 if width % 3 == 0 else 1)


def jumps(paces: Mapping[str, NDArray[np.float64]], unit: str) -> dict[str, int]:
    """Demos in which a signal teleports, with the step at which it does.

    A jump is a step much longer than those around it, so that a fast motion is none; how much is judged by what the
    same signal does in this and in all other demos.

    Args:
        paces: By name of the demo, how far the signal moved at each step. Each of shape (T-1,).
        unit: "m" or "rad".
    """
    excesses = {name: _excess(pace) for name, pace in paces.items() if len(pace) >= _MIN_STEPS}
    if not excesses:
        return {}
    usual = _RARE * float(np.quantile(np.concatenate(list(excesses.values())), 0.99))
    largest = {name: float(excess.max()) for name, excess in excesses.items()}
    found: dict[str, int] = {}
    for name, excess in excesses.items():
        others = [value for other, value in largest.items() if other != name]
        typical = _RARE * float(np.median(others)) if len(others) >= 3 else 0.0
        if largest[name] > max(_LEAST_JUMP[unit], usual, typical):
            found[name] = int(excess.argmax()) + 1
    return found


def _excess(pace: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much longer each step is than the median of five around it. Shape (T-1,)."""
    medians = np.median(np.lib.stride_tricks.sliding_window_view(pace, 5), axis=-1)
    return pace - np.pad(medians, 2, mode="edge")


def _distance(steps: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Largest distance that any of the vectors of `size` columns moves. Shape (T-1,) from (T, n * size)."""
    moved = np.diff(steps, axis=0).reshape(len(steps) - 1, -1, size)
    return np.linalg.norm(moved, axis=-1).max(axis=-1)


def _turn(quats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest angle that any of the quaternions turns; q and -q are the same rotation. Shape (T-1,) from (T, n * 4)."""
    quats = quats.reshape(len(quats), -1, 4)
    chord = np.minimum(np.linalg.norm(quats[1:] - quats[:-1], axis=-1), np.linalg.norm(quats[1:] + quats[:-1], axis=-1))
    return (4 * _arcsine(chord / 2)).max(axis=-1)


def _arcsine(sine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arcsin(np.clip(sine, 0, 1))
