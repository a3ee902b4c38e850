"""Tells the contact-rich part of a segment from the free transit before it.

Only the contact-rich part must be played as it was: on the way there nothing happens that a planned way would not do
as well (the idea of SkillMimicGen, arXiv 2410.18907, which marks such parts by hand).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apprentice.poses import inverse, position

from .demos import SourceDemo
from .segment import Boundaries

_MOVED_M = 0.005
"""An object that has moved by this much has been touched..."""
_SLIPPED_M = 0.01
"""...unless it moves with the hand, and stays within this much of where it was in the hand."""
_MOVING_M = 0.001
"""Motion in a step that is more than coming to rest."""
_CHANGE = 0.25
"""Share of its range by which a gripper command must change in a step to count as opening or closing."""

_TREMBLE_RAD = 0.3
"""Change of all finger joints together that means nothing yet."""


@dataclass(kw_only=True, frozen=True)
class ContactStarts:
    """Where the contact-rich part of each segment begins, in steps of its demo. Shape (D, S) each."""

    first: NDArray[np.int64]
    """With the first contact."""
    last: NDArray[np.int64]
    """With the last: a grasp that missed, or a bump on the way, is left out."""

    def chosen(self, tries: int) -> NDArray[np.int64]:
        """What to play at a try, of a number from 0. Shape (D, S).

        Where most demos of a subtask make contact several times, the task wants that; where few do, those were
        mishaps. Every other try takes the other view.
        """
        wanted = (self.first < self.last).mean(0) > 0.5
        return np.where(wanted == (tries % 2 == 0), self.first, self.last)


def contact_starts(
    demos: Sequence[SourceDemo], nominal: Boundaries, subtasks: Sequence[Any], eef: str, near_m: float
) -> ContactStarts:
    """Look through all segments.

    Args:
        demos: Source demos, D of them.
        nominal: Their boundaries without offsets. Shape (D, S, 2).
        subtasks: The `SubTaskConfig`s, S of them.
        eef: The end effector.
        near_m: Distance from the place of a contact below which the hand's way counts as part of it.
    """
    found = np.zeros((2, *nominal.shape[:2]), dtype=np.int64)
    for row, (demo, segments) in enumerate(zip(demos, nominal.tolist(), strict=True)):
        for column, (subtask, (start, end)) in enumerate(zip(subtasks, segments, strict=True)):
            objects = {name: poses[start:end] for name, poses in demo.objects.items()}
            first, last = contact_start(
                demo.eef[eef][start:end], demo.gripper[eef][start:end], objects, subtask.object_ref, near_m
            )
            found[:, row, column] = start + first, start + last
    return ContactStarts(first=found[0], last=found[1])


def contact_start(
    eef: Tensor, gripper: Tensor, objects: Mapping[str, Tensor], about: str | None, near_m: float
) -> tuple[int, int]:
    """First step of the contact-rich part of a segment, if it begins with the first contact or with the last.

    Contact is made when the gripper's command changes, when an object is pushed or slips in the hand, and at the latest
    at the end of the segment. The contact-rich part begins where the hand comes near to where it is then, seen from the
    object that the subtask is about, and does not go far from it again before. 0 means no free transit.

    Args:
        eef: End effector during the segment. Shape (T, 4, 4).
        gripper: Its gripper commands. Shape (T, G).
        objects: Objects during the segment. Shape (T, 4, 4) each.
        about: The object that the segment is about.
        near_m: What counts as near.
    """
    changes = gripper_changes(gripper)
    touches = [step for poses in objects.values() for step in _touches(eef, poses)]
    events = [*changes, *touches] or [len(eef) - 1]
    hand = position(eef if about is None else inverse(objects[about]) @ eef)
    first = comes_near(hand, min(events), near_m)
    return first, max(first, comes_near(hand, max(changes or events), near_m))


def comes_near(hand: Tensor, event: int, near_m: float) -> int:
    """The step from which on a hand is, up to an event, no farther than `near_m` from where it is then.

    Args:
        hand: Its positions. Shape (T, 3).
        event: A step.
        near_m: What counts as near.
    """
    far = ((hand[:event] - hand[event]).norm(dim=-1) > near_m).nonzero()
    return int(far[-1]) + 1 if len(far) else 0


def gripper_changes(gripper: Tensor) -> list[int]:
    """Steps at which the gripper command jumps, or fingers that are told one by one have gone half of their way.

    `gripper` has shape (T, G).
    """
    if gripper.shape[-1] > 1:
        way = (gripper - gripper[0]).norm(dim=-1)
        half = way > max(0.5 * float(way.max()), _TREMBLE_RAD)
        return [int(step) + 1 for step in (half[1:] != half[:-1]).nonzero()]
    spread = (gripper.amax(0) - gripper.amin(0)).clamp_min(1e-6)
    jumps = ((gripper[1:] - gripper[:-1]).abs() / spread > _CHANGE).any(-1)
    return [int(step) + 1 for step in jumps.nonzero()]


def _touches(eef: Tensor, poses: Tensor) -> list[int]:
    """Steps at which an object has been moved since the segment began, otherwise than by being carried; first and last
    of them."""
    moved = (position(poses) - position(poses[0])).norm(dim=-1) > _MOVED_M
    in_hand = position(inverse(eef) @ poses)
    slipped = (in_hand - in_hand[0]).norm(dim=-1) > _SLIPPED_M
    moving = torch.zeros_like(moved)
    moving[1:] = (position(poses[1:]) - position(poses[:-1])).norm(dim=-1) > _MOVING_M
    steps = (moved & slipped & moving).nonzero().flatten().tolist()
    return [steps[0], steps[-1]] if steps else []
