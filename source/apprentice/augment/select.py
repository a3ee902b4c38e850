"""Which source segment a subtask is played from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apprentice.errors import UserError
from apprentice.poses import inverse, position, rotation, rotation_angle

from .segment import Boundaries
from .source import SourceDemo
from .transform import turned

METRES_PER_RAD = 0.1
"""Exchange rate between position and rotation in the distance of two poses."""
SCALE_M = 0.1
"""Distance that makes a segment e times less likely; grows with every failed try, so that retries look further."""
SPREAD = 0.3
"""Strength of the random part."""


def nearest(
    demos: Sequence[SourceDemo],
    starts: np.ndarray,
    eef_name: str,
    object_name: str | None,
    eef: Tensor,
    present_object: Tensor | None,
    order: int,
    failed: Sequence[int],
    rng: np.random.Generator,
) -> int:
    """A demo whose segment starts near to where the end effector is, seen from the object.

    Args:
        demos: Source demos.
        starts: First step of the segment in each. Shape (D,).
        eef_name: The end effector.
        object_name: Object that the subtask is about, None if about none.
        eef: End effector now. Shape (4, 4).
        present_object: That object now. Shape (4, 4).
        order: Order of its symmetry about its z axis.
        failed: Demos that were tried in vain for this subtask in this attempt.
        rng: Where the random part is drawn.

    Returns:
        Index into `demos`.
    """
    first = torch.stack([demo.target[eef_name][start] for demo, start in zip(demos, starts, strict=True)])
    if object_name is None or present_object is None:
        here, there = eef[None, None], first[None]
    else:
        sources = torch.stack([demo.objects[object_name][start] for demo, start in zip(demos, starts, strict=True)])
        here = (inverse(turned(present_object, order)) @ eef)[:, None]
        there = (inverse(sources) @ first)[None]
    distance = (position(there) - position(here)).norm(dim=-1)
    distance = distance + METRES_PER_RAD * rotation_angle(rotation(here).transpose(-1, -2) @ rotation(there))
    nearest_turn = distance.amin(0).numpy()
    score = -nearest_turn / (SCALE_M * (1 + len(failed))) + SPREAD * rng.gumbel(size=len(demos))
    score -= np.bincount(np.asarray(failed, dtype=np.int64), minlength=len(demos))
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
