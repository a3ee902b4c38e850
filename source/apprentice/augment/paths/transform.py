"""Moves a segment from its source scene into the present one, relative to the object it is about."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from apprentice.poses import (
    exp_rotation,
    inverse,
    log_rotation,
    make_pose,
    position,
    rotation,
    rotation_angle,
    rotation_z,
)

GRASP_CORRECTION_M = 0.02
"""Largest correction for how an object lies in the hand."""
GRASP_CORRECTION_RAD = 0.2
"""The same for how it is turned, where it cannot turn in the hand."""
_MOVED_M = 0.03
_STILL_IN_HAND_M = 0.01
_REACH_M = 0.12
_DRAWN_M = 0.08
_BESIDE_M = 0.04


def turned(pose: Tensor, order: int) -> Tensor:
    """A pose and those that a symmetry of `order` about its z axis makes of it. Shape (order, 4, 4) from (4, 4)."""
    angles = torch.arange(order, dtype=pose.dtype) * (2 * math.pi / order)
    turns = make_pose(torch.zeros(order, 3, dtype=pose.dtype), rotation_z(angles))
    return pose @ turns


def displacements(source_object: Tensor, present_object: Tensor, first: Tensor, eef: Tensor, order: int) -> Tensor:
    """Rigid motions from source to present scene, one per symmetry; that which turns the end effector least first.

    Args:
        source_object: Object at the segment's start in the source demo. Shape (4, 4).
        present_object: Object now. Shape (4, 4).
        first: First pose of the segment. Shape (4, 4).
        eef: End effector now. Shape (4, 4).
        order: Order of the object's symmetry about its z axis.

    Returns:
        Shape (order, 4, 4).
    """
    candidates = turned(present_object, order) @ inverse(source_object)
    turns = rotation_angle(rotation(eef).T @ rotation(candidates @ first))
    return candidates[turns.argsort(stable=True)]


def grasp_correction(source_eef: Tensor, source_held: Tensor, present_eef: Tensor, present_held: Tensor) -> Tensor:
    """What moves the hand so that the held object, not the hand, follows the source's path. In the hand's frame.

    Only the position is corrected: fingers turn what they hold, and turning the hand after it would lift edges.

    Returns:
        A pose to multiply targets with from the right. Shape (4, 4).
    """
    shift = position(inverse(source_eef) @ source_held) - position(inverse(present_eef) @ present_held)
    return make_pose(shift.clamp(-GRASP_CORRECTION_M, GRASP_CORRECTION_M), torch.eye(3, dtype=source_eef.dtype))


def hold_correction(source_eef: Tensor, source_held: Tensor, present_eef: Tensor, present_held: Tensor) -> Tensor:
    """What lets each of several hands on one object keep the hold that it has, whatever it was in the source.

    Unlike one hand, which an object may turn in, they hold it fast: the rotation is corrected as well.

    Returns:
        A pose to multiply targets with from the right. Shape (4, 4).
    """
    wanted = inverse(inverse(source_held) @ source_eef) @ inverse(present_held) @ present_eef
    shift = position(wanted).clamp(-GRASP_CORRECTION_M, GRASP_CORRECTION_M)
    turn = log_rotation(rotation(wanted)).clamp(-GRASP_CORRECTION_RAD, GRASP_CORRECTION_RAD)
    return make_pose(shift, exp_rotation(turn))


def held_object(eef: Tensor, objects: Mapping[str, Tensor], about: str | None) -> str | None:
    """The object that an end effector carries when a segment starts: it travels, and stays where it is in the hand.

    Args:
        eef: End effector during the segment. Shape (T, 4, 4).
        objects: Objects during the segment. Shape (T, 4, 4) each.
        about: The object that the segment is about, which is not carried.
    """
    for name, poses in objects.items():
        if name == about:
            continue
        gone = ((position(poses) - position(poses[0])).norm(dim=-1) > _MOVED_M).nonzero()
        if not len(gone):
            continue
        until = int(gone[0]) + 1  # what becomes of it later does not matter
        in_hand = position(inverse(eef[:until]) @ poses[:until])
        slipped = (in_hand - in_hand[0]).norm(dim=-1).max()
        if slipped < _STILL_IN_HAND_M and in_hand[0].norm() < _REACH_M:
            return name
    return None


def drawn_along(eef: Tensor, objects: Mapping[str, Tensor], about: str | None, held: str | None) -> frozenset[str]:
    """Objects that what an end effector holds pushes or draws along: they travel, and stay nearly where they are beside
    it.

    Args:
        eef: End effector during the segment. Shape (T, 4, 4).
        objects: Objects during the segment. Shape (T, 4, 4) each.
        about: The object that the segment is about.
        held: The object that it holds; without one, nothing counts as drawn along.
    """
    found: set[str] = set()
    for name, poses in objects.items():
        if held is None or name in (about, held):
            continue
        moved = (position(poses) - position(poses[0])).norm(dim=-1).max()
        beside = position(inverse(eef) @ poses)
        if moved > _DRAWN_M and (beside - beside[0]).norm(dim=-1).max() < _BESIDE_M:
            found.add(name)
    return frozenset(found)
