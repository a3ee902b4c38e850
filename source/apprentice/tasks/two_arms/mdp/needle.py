"""When the needle counts as aimed at the ring, and as put through it."""

from __future__ import annotations

from typing import Any

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.poses import inverse, position, rotation
from apprentice.tasks.tabletop.mdp.conditions import calm

from .conditions import held, lifted
from .scene import object_pose
from .sizes import GRIP_M, HANDLE_M, HOLE_AT_M, HOLE_M, NEEDLE, RING, RING_STANDS_M, SHAFT_M

THROUGH_M = 0.04
"""How far the needle is beyond the middle of the ring when it is through."""
AIMED_M = (0.02, 0.1)
"""How far before the middle of the ring its tip is when it is aimed at the hole."""
ON_RING: dict[str, Any] = {"eef": "left", "name": RING, "along_m": (-HANDLE_M[0] / 2, HANDLE_M[0] / 2)}
ON_NEEDLE: dict[str, Any] = {"eef": "right", "name": NEEDLE, "along_m": (-SHAFT_M[0] - GRIP_M[0], -SHAFT_M[0])}
"""How ring and needle are held."""


def through(env: ManagerBasedEnv) -> tuple[Tensor, Tensor]:
    """How far the needle's tip is beyond the ring (m), shape (N,), and where its axis crosses the ring, seen from the
    middle of the hole (m), shape (N, 2)."""
    seen = inverse(object_pose(env, RING)) @ object_pose(env, NEEDLE)
    tip, along = position(seen), rotation(seen)[..., 0]
    # the clamp keeps it finite: what points elsewhere crosses far from the hole or has its tip far from the ring
    crossing = tip[:, 1:] - (tip[:, 0] / along[:, 0].clamp(min=0.5))[:, None] * along[:, 1:]
    return tip[:, 0], crossing - torch.tensor((0.0, HOLE_AT_M), device=env.device)


def aimed(env: ManagerBasedEnv) -> Tensor:
    """Whether the needle is held in front of the ring and points into its hole. Shape (N,)."""
    beyond, crossing = through(env)
    air = (torch.tensor(HOLE_M) - torch.tensor(SHAFT_M[1:])) / 2
    ahead = (beyond > -AIMED_M[1]) & (beyond < -AIMED_M[0])
    return ahead & (crossing.abs() < air.to(env.device)).all(1) & held(env, **ON_NEEDLE)


def threaded(env: ManagerBasedEnv) -> Tensor:
    """Whether the needle is through the ring, both held up calmly. Shape (N,)."""
    beyond, crossing = through(env)
    inside = (crossing.abs() < torch.tensor(HOLE_M, device=env.device) / 2).all(1)
    done = inside & (beyond > THROUGH_M) & (beyond < SHAFT_M[0])
    up = lifted(env, **ON_RING, above_m=RING_STANDS_M + 0.03) & held(env, **ON_NEEDLE)
    return done & up & calm(env, (RING, NEEDLE))
