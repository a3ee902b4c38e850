"""How much noise each step of a plan gets, and putting it there."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apprentice.augment.cfg import NoiseCfg
from apprentice.augment.sources.contact import comes_near, gripper_changes
from apprentice.poses import exp_rotation, make_pose, position, rotation


def near_contact(gripper: Tensor, hand: Tensor, cfg: NoiseCfg) -> Tensor:
    """Steps around each change of the gripper command.

    Args:
        gripper: Gripper commands of a segment. Shape (T, G).
        hand: Where the hand is, as far as it was told. Shape (T, 3).
        cfg: How many steps before and after, and how near before.

    Returns:
        Shape (T,), bool.
    """
    near = torch.zeros(len(gripper), dtype=torch.bool)
    for step in gripper_changes(gripper):
        near[max(0, step - cfg.steps_before) : step + cfg.steps_after] = True
        near[comes_near(hand, step, cfg.near_m) : step] = True
    return near


def shaped(near: Tensor, level: float, tries: int, cfg: NoiseCfg) -> Tensor:
    """Standard deviation for each step of a segment: quiet around contact, quieter with every failed try.

    Args:
        near: Steps near contact. Shape (T,), bool.
        level: The task's `action_noise`, used away from contact.
        tries: Tries that failed before.
        cfg: Levels and lengths.

    Returns:
        Shape (T,).
    """
    levels = torch.full((len(near),), level, dtype=torch.float64)
    levels[near] = min(level, cfg.near_contact)
    return levels * cfg.per_retry**tries


def perturb(targets: Tensor, levels: Tensor, offsets: Tensor, rng: np.random.Generator) -> Tensor:
    """Move and turn targets at random: in the environment's axes, as noise on a relative pose action does.

    Args:
        targets: Shape (T, 4, 4).
        levels: Standard deviation in metres and radians. Shape (T,).
        offsets: What is added to the noise: translation (m) and rotation vector (rad). Shape (T, 6).
        rng: Where the noise is drawn.
    """
    drawn: NDArray[np.float64] = rng.standard_normal((len(targets), 6))
    noise = torch.from_numpy(drawn) * levels[:, None] + offsets
    return make_pose(position(targets) + noise[:, :3], exp_rotation(noise[:, 3:]) @ rotation(targets))
