"""Chunked behaviour cloning: predict where the end effectors should be over the next second, and go there.

A cube may be grasped in four ways, and demos near the boundary between two of them go one way or the other. The mean
of both is a grasp across the corners. So a small network predicts several chunks, of which only the one nearest to the
demo learns from it (Guzman-Rivera et al. 2012; Rupprecht et al. 2017, arXiv 1612.00197), and which of them that will
be; the likeliest is played. A Robomimic plug-in: importing this module registers it as `chunked_bc`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from robomimic.algo import PolicyAlgo, register_algo_factory_func
from robomimic.config.base_config import BaseConfig
from torch import Tensor, nn
from torch.nn import functional as F

from apprentice.learn.algorithms.chunk_config import ChunkPolicyConfig
from apprentice.learn.algorithms.chunk_model import ChunkModel, Sizes
from apprentice.learn.algorithms.chunk_policy import ChunkPolicy


class ChunkedBCConfig(ChunkPolicyConfig, BaseConfig):
    """Robomimic config of the algorithm."""

    ALGO_NAME = "chunked_bc"  # pyright: ignore  (Robomimic declares a property)

    def algo_config(self) -> None:
        super().algo_config()
        self.algo.execute = 10  # it sees sooner what went otherwise than planned; needs `held_steps`
        self.algo.hidden_dims = (256, 256, 256)  # 512 is no better on held-out demos, and takes more than twice as long
        self.algo.modes = 4  # chunks predicted side by side, of which the likeliest is played
        self.algo.mode_weight = 0.1  # of the cross-entropy of which of them was the nearest
        self.algo.mode_sharing = 0.05  # of the loss of all of them, beside that of the nearest


@dataclass(frozen=True)
class Chunks:
    """What the network says: M chunks for each of N contexts."""

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


class ChunkNetwork(ChunkModel):
    """A perceptron with several chunks at its end."""

    def __init__(self, sizes: Sizes, cfg: Any) -> None:
        """Build it. `cfg` is `config.algo`."""
        super().__init__(sizes, cfg)
        self.modes = int(cfg.modes)
        layers: list[nn.Module] = []
        width = self.width
        for hidden in cfg.hidden_dims:
            layers += [nn.Linear(width, hidden), nn.LayerNorm(hidden), nn.GELU()]
            width = hidden
        each = sizes.chunk * (sizes.values + sizes.switches) + 1
        self.body = nn.Sequential(*layers, nn.Linear(width, self.modes * each))

    def forward(self, context: Tensor) -> Chunks:
        """Predict from what the policy knows. Shape (N, width)."""
        out = self.body(context)
        values, switches = self.sizes.values, self.sizes.switches
        chunks = out[:, : -self.modes].unflatten(-1, (self.modes, self.sizes.chunk, values + switches))
        return Chunks(chunks[..., :values], chunks[..., values:], out[:, -self.modes :])

    def losses(self, context: Tensor, targets: Tensor, switches: Tensor) -> dict[str, Tensor]:
        return losses(self(context), targets, switches, self.cfg)

    def predict(self, context: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        return self(context).likeliest()


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


class ChunkedBC(ChunkPolicy):
    """The algorithm."""

    def _create_model(self, sizes: Sizes) -> ChunkModel:
        return ChunkNetwork(sizes, self.algo_config)


@register_algo_factory_func("chunked_bc")
def algo_config_to_class(algo_config: Any) -> tuple[type[PolicyAlgo], dict[str, Any]]:
    """Robomimic asks here for the class."""
    return ChunkedBC, {}
