"""Temporal ensembling (Zhao et al. 2023, arXiv 2304.13705): what several chunks say of the present step, averaged."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from apprentice.poses import exp_rotation, log_rotation, make_pose, position, rotation


def kept_chunks(chunk: int, execute: int, coefficient: float) -> int:
    """How many chunks may cover one step: K. One where nothing is averaged."""
    return -(-chunk // execute) if coefficient else 1


def present(plan: Mapping[str, Tensor], age: Tensor, execute: int, coefficient: float) -> dict[str, Tensor]:
    """What the chunks of a plan say of the present step.

    Args:
        plan: The last K chunks of each environment, newest first: "poses" of shape (N, K, H, E, 4, 4), others of
            shape (N, K, H, ...).
        age: Steps since each environment was reset. Shape (N,).
        execute: Steps between two chunks.
        coefficient: Every newer chunk weighs exp(-coefficient) times as much as the one before it.

    Returns:
        The same keys. Shapes (N, E, 4, 4) and (N, ...).
    """
    kept, length = plan["poses"].shape[1:3]
    rows, back = torch.arange(len(age), device=age.device)[:, None], torch.arange(kept, device=age.device)
    since = age[:, None] - age[:, None] % execute - execute * back  # when each chunk was predicted
    step = age[:, None] - since
    covers = (step < length) & (since >= 0)
    said = {key: value[rows, back, step.clamp_max(length - 1)] for key, value in plan.items()}
    newest = {key: value[:, 0] for key, value in said.items()}
    if kept == 1:
        return newest
    weights = torch.where(covers, torch.exp(coefficient * back), 0.0)
    weights = weights / weights.sum(1, keepdim=True)

    def mean(key: str) -> Tensor:
        value = said[key]
        return (weights.view(*weights.shape, *[1] * (value.dim() - 2)) * value).sum(1)

    result = {key: mean(key) for key in said}
    # rotations are averaged as rotation vectors from the newest, which is right where they are near to each other
    start = rotation(newest["poses"])[:, None]
    among = torch.where(covers[..., None, None, None], rotation(said["poses"]), start)
    turn = (weights[..., None, None] * log_rotation(among @ start.mT)).sum(1)
    result["poses"] = make_pose(position(result["poses"]), exp_rotation(turn) @ start[:, 0])
    return result
