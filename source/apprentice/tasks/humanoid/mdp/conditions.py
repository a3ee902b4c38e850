"""When a humanoid's hand holds something, and when that is where it belongs. All of these can be held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from apprentice.poses import position, rotation
from apprentice.tasks.tabletop.mdp.conditions import at_rest, calm

from .scene import closure, grasp_point

WITHIN_M = 0.045
"""Farthest that what is grasped is from the middle of the hand."""
CLOSED_ON = 0.15
"""Mean closure of a hand from which its fingers are on something between them."""
OPEN = 0.1
"""Mean closure below which a hand counts as open."""
OPEN_FOLLOWING = 0.25
"""The same where fingers may follow a person's, which are seldom straight."""
NEAR_M = 0.07
"""Distance at which something is at a place."""
UPRIGHT = 0.97
"""Least cosine of the slope of what stands upright."""


def held(
    env: Any, eef: str, name: str, low_m: float, high_m: float, beside_m: tuple[float, float] = (0.0, 0.0)
) -> Tensor:
    """Whether a hand is closed around an object, or around a part of it. Shape (N,).

    Args:
        env: The environment.
        eef: The hand.
        name: The object. It, or its part, is long along its z axis.
        low_m: From where on along that axis it is this hand's to hold.
        high_m: Up to where.
        beside_m: Where that part is, along its x and y axes.
    """
    point = grasp_point(env, eef, name)
    inside = (point[:, 2] > low_m) & (point[:, 2] < high_m)
    near = torch.linalg.vector_norm(point[:, :2] - torch.tensor(beside_m, device=point.device), dim=1) < WITHIN_M
    return inside & near & (closure(env, eef).mean(1) > CLOSED_ON)


def lifted(env: Any, eef: str, name: str, low_m: float, high_m: float, height_m: float) -> Tensor:
    """Whether a hand holds an object's centre above a height. Shape (N,). Other arguments as of `held`."""
    return held(env, eef, name, low_m, high_m) & (position(env.object_pose(name))[:, 2] > height_m)


def carried_off(
    env: Any, eef: str, name: str, low_m: float, high_m: float, from_m: tuple[float, float], beyond_m: float
) -> Tensor:
    """Whether a hand holds an object farther than `beyond_m` from a place, seen from above (m). Shape (N,).

    The place is in the environment's frame. Other arguments as of `held`.
    """
    off = position(env.object_pose(name))[:, :2]
    far = torch.linalg.vector_norm(off - torch.tensor(from_m, device=off.device), dim=1) > beyond_m
    return held(env, eef, name, low_m, high_m) & far


def released(env: Any, eef: str) -> Tensor:
    """Whether a hand is open. Shape (N,)."""
    return closure(env, eef).mean(1) < (OPEN_FOLLOWING if env.cfg.fingers else OPEN)


def stands_on(env: Any, eef: str, name: str, onto: str, height_m: tuple[float, float], offset_m: float) -> Tensor:
    """Whether an object stands upright on another, at rest and released. Shape (N,).

    Args:
        env: The environment.
        eef: The hand that put it there.
        name: The object.
        onto: What it stands on.
        height_m: Lowest and highest that the one's centre is above the other's.
        offset_m: Largest horizontal distance of their centres.
    """
    pose = env.object_pose(name)
    off = position(pose) - position(env.object_pose(onto))
    on = (off[:, 2] > height_m[0]) & (off[:, 2] < height_m[1])
    on &= torch.linalg.vector_norm(off[:, :2], dim=1) < offset_m
    upright = rotation(pose)[:, 2, 2] > UPRIGHT
    return on & upright & released(env, eef) & at_rest(env, (name,))


def presented(env: Any, eef: str, name: str, low_m: float, high_m: float, place_m: tuple[float, ...]) -> Tensor:
    """Whether a hand holds an object upright near a place (m, environment frame). Shape (N,). Others as of `held`."""
    pose = env.object_pose(name)
    near = torch.linalg.vector_norm(position(pose) - torch.tensor(place_m, device=pose.device), dim=1) < NEAR_M
    return held(env, eef, name, low_m, high_m) & near & (rotation(pose)[:, 2, 2] > UPRIGHT)


def handed_over(env: Any, giver: str, taker: str, name: str, low_m: float, high_m: float) -> Tensor:
    """Whether one hand has let go of what the other holds. Shape (N,). Arguments as of `held`, for the taker."""
    return released(env, giver) & held(env, taker, name, low_m, high_m)


def taken_away(
    env: Any, giver: str, taker: str, name: str, low_m: float, high_m: float, place_m: tuple[float, ...]
) -> Tensor:
    """Whether the taker holds the object at a place of its own, upright and at rest. Shape (N,).

    Arguments are those of `handed_over` and `presented`.
    """
    there = presented(env, taker, name, low_m, high_m, place_m) & released(env, giver)
    return there & calm(env, (name,))


def lifted_together(env: Any, grips: Mapping[str, Mapping[str, Any]], name: str, height_m: float) -> Tensor:
    """Whether hands hold an object up together, level and calm. Shape (N,).

    Args:
        env: The environment.
        grips: By hand, how it holds the object: further arguments of `held`.
        name: The object.
        height_m: Height from which on its origin counts as up.
    """
    pose = env.object_pose(name)
    up = (position(pose)[:, 2] > height_m) & (rotation(pose)[:, 2, 2] > UPRIGHT)
    return up & calm(env, (name,)) & torch.stack([held(env, eef, name, **grip) for eef, grip in grips.items()]).all(0)
