"""Whether failing depends on where objects start: success by place, and a test that says if the pattern is more than
chance."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from apprentice.evaluate.results import POSE_COLUMNS
from apprentice.evaluate.several import holm
from apprentice.evaluate.statistics import success_interval

Floats = NDArray[np.float64]

FEWEST = 5
"""Failures, and successes, from which on they are compared."""
PERMUTATIONS = 2000
PER_CELL = 10
"""Rollouts that a cell of a map holds on average, or more."""
MOST_CELLS = 6
"""Cells along a side of a map."""
TURNS = 6
"""Parts into which an object's turn about its vertical axis is divided, at most."""
_STILL_M = 1e-3
"""An object whose initial positions spread less than this does not start at different places."""


@dataclass(kw_only=True, frozen=True)
class Dependence:
    """One thing about the initial state, and whether failures differ in it from successes."""

    what: str
    p_value: float
    """Permutation test of the energy distance: how probable so different failures are if chance chooses who fails."""
    p_holm: float
    """The same after Holm's correction for the number of things that were looked at."""


def initial_poses(rows: Sequence[Mapping[str, Any]]) -> dict[str, Floats]:
    """Initial poses by object, x y z (m) and quaternion xyzw, from rows of `rollouts.parquet`. Shapes (N, 7)."""
    suffix = f"_{POSE_COLUMNS[0]}"
    names = [key.removesuffix(suffix) for key in (rows[0] if rows else ()) if key.endswith(suffix)]
    poses = {name: [[row[f"{name}_{column}"] for column in POSE_COLUMNS] for row in rows] for name in names}
    return {name: np.array(pose, dtype=np.float64) for name, pose in poses.items()}


def place_vectors(initial: Mapping[str, Floats], symmetry: Mapping[str, int]) -> dict[str, Floats]:
    """What there is to know of initial states, each as vectors in which nearness means likeness.

    Args:
        initial: By object its initial poses, x y z (m) and quaternion xyzw. Shapes (N, 7).
        symmetry: Order of rotational symmetry of objects about their vertical axis; 1 if not named.

    Returns:
        For each object that starts at different places, its position and turn in units of their spread, shape (N, 4);
        for each two of them, how far they are apart, shape (N, 1).
    """
    moving = {name: pose for name, pose in initial.items() if pose[:, :2].std(axis=0).max() > _STILL_M}
    found: dict[str, Floats] = {}
    for name, pose in moving.items():
        spread = pose[:, :2].std(axis=0).max()
        turn = symmetry.get(name, 1) * yaw(pose)
        found[name] = np.column_stack((pose[:, :2] / spread, np.cos(turn), np.sin(turn)))
    for one, other in itertools.combinations(moving, 2):
        apart = np.linalg.norm(moving[one][:, :2] - moving[other][:, :2], axis=1)
        found[f"distance of {one} and {other}"] = apart[:, None] / max(apart.std(), 1e-9)
    return found


def dependences(vectors: Mapping[str, Floats], success: NDArray[np.bool_], *, seed: int = 0) -> list[Dependence]:
    """Test each thing about the initial states; the most telling comes first. None if too few failed or succeeded."""
    if not vectors or min(success.sum(), (~success).sum()) < FEWEST:
        return []
    p_values = [energy_test(vector, success, seed=seed) for vector in vectors.values()]
    found = [
        Dependence(what=what, p_value=p, p_holm=corrected)
        for what, p, corrected in zip(vectors, p_values, holm(p_values), strict=True)
    ]
    return sorted(found, key=lambda one: one.p_value)


def energy_test(
    vectors: Floats, success: NDArray[np.bool_], *, permutations: int = PERMUTATIONS, seed: int = 0
) -> float:
    """P value of the energy distance between failures and successes, by permutation (Szekely and Rizzo 2004).

    Args:
        vectors: Shape (N, D).
        success: Shape (N,).
        permutations: How often the outcomes are dealt out anew.
        seed: Of the permutations.
    """
    distances = cdist(vectors, vectors)
    weights = np.where(success, 1 / success.sum(), -1 / (~success).sum())
    rng = np.random.default_rng(seed)
    dealt = rng.permuted(np.broadcast_to(weights, (permutations, len(weights))), axis=1)
    observed = -weights @ distances @ weights
    by_chance = -np.einsum("rn,rn->r", dealt @ distances, dealt)
    return float((1 + (by_chance >= observed - 1e-12).sum()) / (1 + permutations))


def success_map(pose: Floats, success: NDArray[np.bool_], symmetry: int = 1) -> dict[str, Any]:
    """How many rollouts began, and succeeded, with an object at each place and in each turn. JSON-able.

    Args:
        pose: Initial poses of one object. Shape (N, 7).
        success: Shape (N,).
        symmetry: Order of rotational symmetry about its vertical axis.

    Returns:
        `x`, `y`: edges of the cells (m); `tried`, `won`: rollouts and successes by cell, shape (X, Y); `yaw`: likewise
        `edges` (rad), `tried` and `won`.
    """
    side = int(np.clip(np.sqrt(len(pose) / PER_CELL), 1, MOST_CELLS))
    edges = [_edges(pose[:, axis], side) for axis in (0, 1)]
    tried, won = (np.histogram2d(*pose[rows, :2].T, bins=edges)[0] for rows in (slice(None), success))
    half = np.pi / symmetry
    turns = np.linspace(-half, half, 1 + int(np.clip(len(pose) / PER_CELL, 1, TURNS)))
    turn = (yaw(pose) + half) % (2 * half) - half
    by_turn = {"tried": np.histogram(turn, turns)[0].tolist(), "won": np.histogram(turn[success], turns)[0].tolist()}
    return {
        "x": edges[0].tolist(),
        "y": edges[1].tolist(),
        "tried": tried.astype(int).tolist(),
        "won": won.astype(int).tolist(),
        "yaw": {"edges": turns.tolist(), **by_turn},
    }


def describe(initial: Mapping[str, Floats], success: NDArray[np.bool_], symmetry: Mapping[str, int]) -> dict[str, Any]:
    """Maps, how much a typical cell of them can say, tests and a sentence. JSON-able.

    Args:
        initial: By object its initial poses. Shapes (N, 7).
        success: Shape (N,).
        symmetry: Order of rotational symmetry of objects about their vertical axis.
    """
    found = dependences(place_vectors(initial, symmetry), success)
    maps = {name: success_map(pose, success, symmetry.get(name, 1)) for name, pose in initial.items()}
    held = [count for one in maps.values() for row in one["tried"] for count in row if count]
    typical = int(np.median(held)) if held else 0
    return {
        "maps": maps,
        "rollouts_in_a_cell": typical,
        "interval_in_a_cell": list(success_interval(round(typical * success.mean()), typical)) if typical else None,
        "dependence": [asdict(one) for one in found],
        "sentence": _sentence(found, success),
    }


def yaw(pose: Floats) -> Floats:
    """Turn about the vertical axis (rad). Shape (N,) from (N, 7)."""
    x, y, z, w = pose[:, 3:].T
    return np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def _edges(values: Floats, side: int) -> Floats:
    low, high = float(values.min()), float(values.max())
    middle, half = (low + high) / 2, max(high - low, 0.01) / 2
    return np.linspace(middle - half, middle + half, side + 1)


def _sentence(found: Sequence[Dependence], success: NDArray[np.bool_]) -> str:
    failures = int((~success).sum())
    if not failures:
        return "No rollout failed."
    if not found:
        return (
            f"With {failures} failures of {len(success)} rollouts it cannot be said whether failing depends on where "
            f"objects start: at least {FEWEST} failures and {FEWEST} successes are needed."
        )
    telling = [one for one in found if one.p_holm < 0.05]
    if not telling:
        return (
            f"The {failures} failures of {len(success)} rollouts do not show that failing depends on where objects "
            f"start (permutation tests, smallest corrected p = {found[0].p_holm:.2g}): a pattern in the maps may be "
            "chance."
        )
    named = ", ".join(f"{one.what} (p = {one.p_holm:.2g})" for one in telling)
    return f"Failing depends on where objects start: {named}; permutation tests, corrected for {len(found)} looks."
