"""Which source segment a subtask is played from.

Ours: the nearer a segment starts to where the end effector is, seen from the object, the likelier it is chosen, and the
more so the more often it succeeded in earlier rounds. That second part is a bandit: for each subtask and each region of
start poses the source demos are the arms, and Thompson sampling (W. R. Thompson, "On the likelihood that one unknown
probability exceeds another in view of the evidence of two samples", Biometrika 1933) trades trying against using. A
region is all poses that are nearest to the same source demo's start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apprentice.augment.lessons import Lessons
from apprentice.augment.paths.transform import turned
from apprentice.augment.sources.demos import SourceDemo
from apprentice.augment.sources.segment import Boundaries
from apprentice.errors import UserError
from apprentice.poses import inverse

METRES_PER_RAD = 0.1
"""Exchange rate between position and rotation in the distance of two poses."""
SCALE_M = 0.1
"""Distance that makes a segment e times less likely; grows with every failed try, so that retries look further."""
SPREAD = 0.3
"""Strength of the random part."""
_PRIOR_TRIES = 6.0
"""How many tries what is known of a source demo everywhere counts for in one region, and of all of them for one."""


class Starts:
    """Where the segments of source demos start, seen from the object that they are about."""

    def __init__(self, demos: Sequence[SourceDemo], eef: str) -> None:
        """Of one end effector.

        Args:
            demos: Source demos, D of them.
            eef: Its name.
        """
        self._demos, self._eef = demos, eef
        self._poses: dict[str | None, list[NDArray[np.float64]]] = {None: [demo.eef[eef].numpy() for demo in demos]}

    def distances(
        self, starts: NDArray[np.int64], about: str | None, eef: Tensor, present_object: Tensor | None, order: int
    ) -> NDArray[np.float64]:
        """How far the end effector is from the start of each segment, in metres and metres' worth of rotation.

        Args:
            starts: First step of the segment in each demo. Shape (D,).
            about: Object that the subtask is about, None if about none.
            eef: End effector now. Shape (4, 4).
            present_object: That object now. Shape (4, 4).
            order: Order of its symmetry about its z axis; the nearest turn counts.

        Returns:
            Shape (D,).
        """
        if about is not None and about not in self._poses:
            self._poses[about] = [(inverse(demo.objects[about]) @ demo.eef[self._eef]).numpy() for demo in self._demos]
        there = np.stack([poses[start] for poses, start in zip(self._poses[about], starts, strict=True)])
        here = eef[None] if present_object is None else inverse(turned(present_object, order)) @ eef
        here = here.numpy()[:, None]
        gaps = np.linalg.norm(there[None, :, :3, 3] - here[..., :3, 3], axis=-1)
        # the trace of the rotation between two poses is the sum of the products of their entries
        cosines = ((there[None, :, :3, :3] * here[..., :3, :3]).sum((-2, -1)) - 1) / 2
        return (gaps + METRES_PER_RAD * np.arccos(np.clip(cosines, -1, 1))).min(0)

    @staticmethod
    def region(distances: NDArray[np.float64]) -> int:
        """Region of start poses: the source demo whose segment starts nearest."""
        return int(distances.argmin())


class Records:
    """What earlier rounds tell about the source demos of one end effector."""

    def __init__(self, eef: str, names: Sequence[str]) -> None:
        """Of the source demos of these names. D of them."""
        self._eef, self._places = eef, {name: place for place, name in enumerate(names)}
        self._horizon = 0
        self._counts: dict[int, NDArray[np.float64]] = {}

    def of(self, index: int, region: int, lessons: Lessons) -> NDArray[np.float64] | None:
        """Successes and failures to be expected from each source demo: the parameters of beta distributions.

        What happened in the region counts most; behind it stands what happened to the same demo in all regions, and
        behind that what happened to all demos.

        Args:
            index: Number of the subtask.
            region: From `Starts.region`.
            lessons: From earlier rounds.

        Returns:
            Shape (D, 2), or None if nothing is known.
        """
        if (self._eef, index) not in lessons.records:
            return None
        if lessons.horizon != self._horizon:
            self._horizon, self._counts = lessons.horizon, {}
        if index not in self._counts:
            self._counts[index] = self._counted(lessons.records[self._eef, index])
        counts = self._counts[index]
        anywhere = counts.sum(1)
        overall = anywhere.sum(0) + [1.0, 0.0]
        demo = anywhere + _PRIOR_TRIES * overall / overall.sum()
        return counts[:, region] + _PRIOR_TRIES * demo / demo.sum(1, keepdims=True)

    def _counted(self, record: Mapping[tuple[str, str], tuple[float, float]]) -> NDArray[np.float64]:
        """Successes and failures by demo and region. Shape (D, D, 2)."""
        counts = np.zeros((len(self._places), len(self._places), 2))
        for (demo, region), (tries, failures) in record.items():
            counts[self._places[demo], self._places[region]] += max(0.0, tries - failures), failures
        return counts


def choose(
    distances: NDArray[np.float64],
    record: NDArray[np.float64] | None,
    failed: Sequence[int],
    rng: np.random.Generator,
) -> int:
    """Choose a source demo.

    Args:
        distances: From `Starts.distances`. Shape (D,).
        record: From `Records.of`. Shape (D, 2).
        failed: Demos that were tried in vain for this subtask in this attempt.
        rng: Where the random part is drawn.

    Returns:
        Index of the demo.
    """
    score = -distances / (SCALE_M * (1 + len(failed))) + SPREAD * rng.gumbel(size=len(distances))
    score -= np.bincount(np.asarray(failed, dtype=np.int64), minlength=len(distances))
    if record is not None:
        score += np.log(np.maximum(rng.beta(record[:, 0], np.maximum(record[:, 1], 1e-9)), 1e-6))
    return int(np.argmax(score))


def by_strategy(
    name: str,
    kwargs: Mapping[str, Any],
    demos: Sequence[SourceDemo],
    boundaries: Boundaries,
    eef_name: str,
    object_name: str | None,
    eef: Tensor,
    present_object: Tensor | None,
    rng: np.random.Generator,
) -> int:
    """Ask a selection strategy that is registered with Isaac Lab Mimic.

    Args:
        name: Its `NAME`.
        kwargs: Its options.
        demos: Source demos.
        boundaries: First step of the segment in each demo and the step after its last. Shape (D, 2).
        eef_name: The end effector.
        object_name: Object that the subtask is about, None if about none.
        eef: End effector now. Shape (4, 4).
        present_object: That object now. Shape (4, 4).
        rng: Seeds the random numbers of torch and numpy that strategies draw from.

    Returns:
        Index into `demos`.
    """
    from isaaclab_mimic.datagen.datagen_info import DatagenInfo
    from isaaclab_mimic.datagen.selection_strategy import make_selection_strategy

    def single(value: Tensor) -> Tensor:
        return value.to(torch.float32)

    infos = [
        DatagenInfo(
            eef_pose=single(demo.eef[eef_name][start:end]),
            object_poses=None if object_name is None else {object_name: single(demo.objects[object_name][start:end])},
            subtask_term_signals=None,
            target_eef_pose=single(demo.target[eef_name][start:end]),
            gripper_action=demo.gripper[eef_name][start:end],
        )
        for demo, (start, end) in zip(demos, boundaries.tolist(), strict=True)
    ]
    state = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        np.random.seed(int(rng.integers(2**31)))
        chosen = make_selection_strategy(name).select_source_demo(
            eef_pose=single(eef),
            object_pose=None if present_object is None else single(present_object),
            src_subtask_datagen_infos=infos,
            **kwargs,
        )
    np.random.set_state(state)
    return int(chosen)


def require_strategy(name: str) -> None:
    """Refuse names that nobody registered.

    Raises:
        UserError: If `name` is neither ours nor a registered strategy.
    """
    from isaaclab_mimic.datagen.selection_strategy import REGISTERED_SELECTION_STRATEGIES

    if name not in ("nearest", "task") and name not in REGISTERED_SELECTION_STRATEGIES:
        known = ", ".join(["nearest", "task", *REGISTERED_SELECTION_STRATEGIES])
        raise UserError(f"Expected a selection strategy ({known}), found '{name}'.")
