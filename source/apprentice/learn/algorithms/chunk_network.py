"""The network of `chunked_bc`: from a few observations to several chunks that may be right, and how likely each is.

A cube may be grasped in four ways, and demos near the boundary between two of them go one way or the other. The mean of
both is a grasp across the corners. So the network predicts several chunks, of which only the one nearest to the demo
learns from it (Guzman-Rivera et al. 2012; Rupprecht et al. 2017, arXiv 1612.00197), and which of them that will be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Chunks:
    """What the network says: M chunks for each of N histories."""

    values: Tensor
    """Normalised targets. Shape (N, M, H, V)."""
    switches: Tensor
    """Gripper logits. Shape (N, M, H, B)."""
    scores: Tensor
    """Logits of the chunks. Shape (N, M)."""

    def likeliest(self) -> tuple[Tensor, Tensor]:
        """Targets and gripper logits of the likeliest chunk. Shapes (N, H, V) and (N, H, B)."""
        rows, best = torch.arange(len(self.scores), device=self.scores.device), self.scores.argmax(1)
        return self.values[rows, best], self.switches[rows, best]


class ChunkNetwork(nn.Module):
    """Features of a few observations to normalised chunks. Holds the statistics that normalise, so they go with it."""

    def __init__(self, inputs: int, frames: int, chunk: int, values: int, switches: int, cfg: Any) -> None:
        """Build it.

        Args:
            inputs: Features of one observation, F.
            frames: Observations seen, T.
            chunk: Steps predicted, H.
            values: Regressed values in each step, V.
            switches: Gripper decisions in each step, B.
            cfg: `config.algo`.
        """
        super().__init__()
        self.chunk, self.values, self.switches, self.modes = chunk, values, switches, int(cfg.modes)
        self.clip = cfg.feature_clip
        layers: list[nn.Module] = []
        width = inputs * frames
        for hidden in cfg.hidden_dims:
            layers += [nn.Linear(width, hidden), nn.LayerNorm(hidden), nn.GELU()]
            width = hidden
        self.body = nn.Sequential(*layers, nn.Linear(width, self.modes * (chunk * (values + switches) + 1)))
        self.feature_mean: Tensor
        self.feature_std: Tensor
        self.target_mean: Tensor
        self.target_std: Tensor
        self.initial_command: Tensor
        self.register_buffer("feature_mean", torch.zeros(inputs))
        self.register_buffer("feature_std", torch.ones(inputs))
        self.register_buffer("target_mean", torch.zeros(chunk, values))
        self.register_buffer("target_std", torch.ones(chunk, values))
        self.register_buffer("initial_command", torch.zeros(switches))

    def forward(self, history: Tensor) -> Chunks:
        """Predict from normalised features. Shape (N, T, F)."""
        out = self.body(history.flatten(1))
        chunks = out[:, : -self.modes].unflatten(-1, (self.modes, self.chunk, self.values + self.switches))
        return Chunks(chunks[..., : self.values], chunks[..., self.values :], out[:, -self.modes :])

    def normalise(self, features: Tensor) -> Tensor:
        """Features in standard deviations, clipped. Same shape."""
        return ((features - self.feature_mean) / self.feature_std).clamp(-self.clip, self.clip)


def losses(chunks: Chunks, targets: Tensor, switches: Tensor, cfg: Any) -> dict[str, Tensor]:
    """What to minimise, and its parts.

    Args:
        chunks: From the network.
        targets: Of the demos, normalised. Shape (N, H, V).
        switches: Likewise, 0 or 1. Shape (N, H, B).
        cfg: `config.algo`.

    Returns:
        "loss"; "pose" and "gripper", of the chunk that would be played.
    """
    poses = (chunks.values.float() - targets[:, None]).abs().flatten(2)
    pose = poses.mean(-1) if poses.shape[-1] else chunks.scores.float() * 0
    wanted = switches[:, None].expand_as(chunks.switches)
    grips = F.binary_cross_entropy_with_logits(chunks.switches.float(), wanted, reduction="none").flatten(2)
    gripper = grips.mean(-1) if grips.shape[-1] else chunks.scores.float() * 0
    each = pose + cfg.gripper_weight * gripper
    rows, best = torch.arange(len(each), device=each.device), each.detach().argmin(1)
    # all of them learn a little from every demo: one that is never the nearest would never become it
    loss = (1 - cfg.mode_sharing) * each[rows, best].mean() + cfg.mode_sharing * each.mean()
    loss = loss + cfg.mode_weight * F.cross_entropy(chunks.scores.float(), best)
    played = chunks.scores.argmax(1)
    return {"loss": loss, "pose": pose[rows, played].mean(), "gripper": gripper[rows, played].mean()}
