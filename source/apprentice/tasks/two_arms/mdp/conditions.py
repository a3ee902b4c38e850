"""When an object counts as held, lifted, brought, handed over or put in. All of these can be held."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import inverse, position, rotation
from apprentice.tasks.tabletop.mdp.conditions import at_rest, calm

from .scene import EEFS, finger_positions, grasp_point, hand_of, object_pose

FINGERS_ON_M = (0.012, 0.0225)
"""Finger positions between which the fingers rest on something 4 cm wide; closed on nothing they go to 0."""
GIVES_M = (0.004, 0.0025)
"""How much nearer to the middle than half of what it holds a finger may be, as it sinks in; and how much farther."""
OPEN = 0.875
"""Share of its full opening from which a gripper counts as released."""
UPRIGHT = 0.97
"""Cosine of the largest tilt (14 degrees) of what is held level."""
BESIDE_M = 0.025
"""Farthest that a grasp point is from an object's long axis."""
LEVEL_RAD = 0.2
"""Largest slope of an object that counts as level."""
LIFTED_M = 0.12
"""Height of an object's centre at which it counts as lifted."""


def held(env: ManagerBasedEnv, eef: str, name: str, along_m: tuple[float, float]) -> Tensor:
    """Whether an arm holds an object somewhere along its long axis, x. Shape (N,).

    Args:
        env: The environment.
        eef: The arm.
        name: The object.
        along_m: From where to where along x it is this arm's to hold.
    """
    point, fingers = grasp_point(env, eef, name), finger_positions(env, eef)
    low, high = FINGERS_ON_M
    on = (fingers > low) & (fingers < high)
    inside = (point[:, 0] > along_m[0]) & (point[:, 0] < along_m[1])
    return inside & (torch.linalg.vector_norm(point[:, 1:], dim=1) < BESIDE_M) & on.all(1)


def grasped(
    env: ManagerBasedEnv, eef: str, name: str, width_m: float, at_m: tuple[float, float, float], within_m: float
) -> Tensor:
    """Whether an arm holds an object at a spot. Shape (N,).

    Args:
        env: The environment.
        eef: The arm.
        name: The object.
        width_m: Its width there; fingers closed on nothing are at 0.
        at_m: The spot, in its frame.
        within_m: Farthest that the point between the fingertips is from there.
    """
    off = grasp_point(env, eef, name) - torch.tensor(at_m, device=env.device)
    fingers = finger_positions(env, eef)
    on = (fingers > width_m / 2 - GIVES_M[0]) & (fingers < width_m / 2 + GIVES_M[1])
    return (torch.linalg.vector_norm(off, dim=1) < within_m) & on.all(1)


def upright(env: ManagerBasedEnv, name: str) -> Tensor:
    """Whether an object's z axis points up. Shape (N,)."""
    return rotation(object_pose(env, name))[:, 2, 2] > UPRIGHT


def level(env: ManagerBasedEnv, name: str) -> Tensor:
    """Whether an object's long axis is level. Shape (N,)."""
    return rotation(object_pose(env, name))[:, 2, 0].abs() < LEVEL_RAD


def lifted(env: ManagerBasedEnv, eef: str, name: str, along_m: tuple[float, float], above_m: float) -> Tensor:
    """Whether an arm holds an object and its origin is above a height (m). Shape (N,). Other arguments as of `held`."""
    return held(env, eef, name, along_m) & (position(object_pose(env, name))[:, 2] > above_m)


def lifted_together(env: ManagerBasedEnv, name: str, half_m: float) -> Tensor:
    """Whether both arms hold an object up, each at its end, level, its upper side up, and calm. Shape (N,)."""
    both = held(env, EEFS[0], name, (0.0, half_m)) & held(env, EEFS[1], name, (-half_m, 0.0))
    high = position(object_pose(env, name))[:, 2] > LIFTED_M
    return both & high & level(env, name) & upright(env, name) & calm(env, (name,))


def presented(
    env: ManagerBasedEnv,
    eef: str,
    name: str,
    along_m: tuple[float, float],
    y_m: tuple[float, float],
    above_m: float = LIFTED_M,
) -> Tensor:
    """Whether an arm holds an object up where the other can reach it: level, between both. Shape (N,).

    Args:
        env: The environment.
        eef: The arm.
        name: The object.
        along_m: From where to where along the object's x axis it is this arm's to hold.
        y_m: From where to where its origin is across the table, in the environment's frame.
        above_m: Height above which its origin is.
    """
    place = position(object_pose(env, name))
    there = (place[:, 1] > y_m[0]) & (place[:, 1] < y_m[1])
    return lifted(env, eef, name, along_m, above_m) & there & level(env, name)


def handed_over(env: ManagerBasedEnv, giver: str, taker: str, name: str, along_m: tuple[float, float]) -> Tensor:
    """Whether one arm has let go of what the other holds. Shape (N,). Arguments as of `held`, for the taker."""
    return released(env, giver) & held(env, taker, name, along_m)


def placed(env: ManagerBasedEnv, name: str, onto: str, height_m: tuple[float, float], offset_m: float) -> Tensor:
    """Whether an object lies on another at rest, both grippers released. Shape (N,).

    Args:
        env: The environment.
        name: The object.
        onto: What it lies on.
        height_m: Lowest and highest that the one's centre is above the other's.
        offset_m: Largest horizontal distance of their centres.
    """
    off = position(object_pose(env, name)) - position(object_pose(env, onto))
    on = (off[:, 2] > height_m[0]) & (off[:, 2] < height_m[1])
    on &= torch.linalg.vector_norm(off[:, :2], dim=1) < offset_m
    return on & released(env, EEFS[0]) & released(env, EEFS[1]) & at_rest(env, (name,))


def away(env: ManagerBasedEnv, eef: str, name: str, along_m: tuple[float, float], off: str, apart_m: float) -> Tensor:
    """Whether an arm holds an object aside of another. Shape (N,).

    Args:
        env: The environment.
        eef: The arm.
        name: The object.
        along_m: From where to where along its x axis it is held.
        off: The other object.
        apart_m: Least horizontal distance of their origins.
    """
    apart = position(object_pose(env, name))[:, :2] - position(object_pose(env, off))[:, :2]
    return held(env, eef, name, along_m) & (torch.linalg.vector_norm(apart, dim=1) > apart_m)


def put_in(
    env: ManagerBasedEnv, eef: str, name: str, into: str, half_m: float, height_m: tuple[float, float]
) -> Tensor:
    """Whether an object lies in another at rest, the gripper released. Shape (N,).

    Args:
        env: The environment.
        eef: The arm that put it there.
        name: The object.
        into: What it lies in.
        half_m: Farthest that its centre is from the other's along the other's x and y axes.
        height_m: Lowest and highest that its centre is above the other's.
    """
    off = position(inverse(object_pose(env, into)) @ object_pose(env, name))
    inside = (off[:, :2].abs() < half_m).all(1) & (off[:, 2] > height_m[0]) & (off[:, 2] < height_m[1])
    return inside & released(env, eef) & at_rest(env, (name,))


def released(env: ManagerBasedEnv, eef: str) -> Tensor:
    """Whether an arm's gripper is open. Shape (N,)."""
    return (finger_positions(env, eef) > OPEN * hand_of(env).open_m).all(1)
