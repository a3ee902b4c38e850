"""Flow matching and diffusion policy: a chunk is drawn from noise, so that it is one of those the demos hold.

Between a chunk x of a demo (t = 1) and noise e (t = 0) lies a path a(t) x + s(t) e. A network learns to say, from a
point of the path and what the policy knows, which chunk it leads to. To play, it starts from noise and goes a few steps
along what the network says, deterministically: what is random is the noise alone. Two paths are known by name:

- `flow`, a = t, s = 1 - t: flow matching (Lipman et al. 2022, arXiv 2210.02747). A step is one of Euler's.
- `diffusion`, a = sin(t pi/2), s = cos(t pi/2): the squared cosine schedule that Diffusion Policy (Chi et al. 2023,
  arXiv 2303.04137) trains on as a DDPM. A step is one of DDIM's (Song et al. 2020, arXiv 2010.02502).

The error of the chunk is weighted by 1 / s^2, which makes it that of the path's velocity (Salimans and Ho 2022, arXiv
2202.00512, for the cosine), up to a limit. A network that says the chunk, and not the noise, need not carry noise
through its layers to subtract it (Li and He 2025, arXiv 2511.13720): a small one is enough, and its chunks are smooth.
A Robomimic plug-in: importing this module registers both.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from robomimic.algo import PolicyAlgo, register_algo_factory_func
from robomimic.config.base_config import BaseConfig
from torch import Tensor, nn
from torch.nn import functional as F

from apprentice.errors import UserError
from apprentice.learn.algorithms.chunk_config import ChunkPolicyConfig
from apprentice.learn.algorithms.chunk_model import ChunkModel, Sizes
from apprentice.learn.algorithms.chunk_policy import ChunkPolicy

PATHS = ("straight", "cosine")
_FREQUENCIES = 32
"""Sines and cosines each by which the network tells the time."""


class FlowConfig(ChunkPolicyConfig, BaseConfig):
    """Robomimic config of flow matching."""

    ALGO_NAME = "flow"  # pyright: ignore  (Robomimic declares a property)

    def train_config(self) -> None:
        super().train_config()
        self.train.batch_size = 256

    def algo_config(self) -> None:
        super().algo_config()
        self.algo.steps = 5000
        self.algo.path = "straight"  # from noise to chunk: "straight" or "cosine"
        self.algo.solver_steps = 5  # calls of the network for each chunk that is played
        self.algo.temperature = 0.3  # share of the noise in play; all of it repeats what is random in how demos move
        self.algo.max_weight = 10.0  # limit of 1 / s^2
        self.algo.spread = 0.3  # of the chunks that may follow one observation, about, in their standard deviations
        self.algo.hidden_dim = 512
        self.algo.blocks = 4


class DiffusionConfig(FlowConfig):
    """Robomimic config of diffusion policy."""

    ALGO_NAME = "diffusion"  # pyright: ignore  (Robomimic declares a property)

    def algo_config(self) -> None:
        super().algo_config()
        self.algo.path = "cosine"
        self.algo.solver_steps = 10


def schedule(path: str, t: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of the chunk and of the noise at time t, from 0 (noise) to 1 (chunk). Shapes as t's."""
    return (t, 1 - t) if path == "straight" else (torch.sin(t * math.pi / 2), torch.cos(t * math.pi / 2))


class Block(nn.Module):
    """A residual layer, steered by what is known (FiLM, Perez et al. 2017, arXiv 1709.07871)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.steer = nn.Linear(width, 2 * width)
        self.mix = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        """Shapes (N, width)."""
        scale, shift = self.steer(known).chunk(2, -1)
        return x + self.mix(self.norm(x) * (1 + scale) + shift)


class FlowNetwork(ChunkModel):
    """From a point of the path, its time and the context to the chunk. Gripper decisions are values of -1 and 1."""

    def __init__(self, sizes: Sizes, cfg: Any) -> None:
        """Build it. `cfg` is `config.algo`.

        Raises:
            UserError: If there is no such path.
        """
        super().__init__(sizes, cfg)
        if cfg.path not in PATHS:
            raise UserError(f"Expected algo.path to be one of {', '.join(PATHS)}, found {cfg.path!r}.")
        width, numbers = int(cfg.hidden_dim), sizes.chunk * (sizes.values + sizes.switches)
        self.know = nn.Sequential(nn.Linear(self.width, width), nn.LayerNorm(width), nn.GELU(), nn.Linear(width, width))
        self.tell_time = nn.Linear(2 * _FREQUENCIES, width)
        self.enter = nn.Linear(numbers, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(int(cfg.blocks))])
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, numbers))
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.logspace(0, 2, _FREQUENCIES))

    def forward(self, point: Tensor, t: Tensor, known: Tensor) -> Tensor:
        """The chunk that a point of the path leads to.

        Args:
            point: Shape (N, H * (V + B)).
            t: Its time. Shape (N, 1).
            known: From `know`. Shape (N, hidden_dim).

        Returns:
            Shape (N, H * (V + B)).
        """
        # as much of the point as it tells of a chunk that is known up to `spread`: none at first, when it is noise
        share, rest = schedule(self.cfg.path, t)
        point = point * share * self.cfg.spread**2 / (share.square() * self.cfg.spread**2 + rest.square())
        angles = t * self.frequencies
        known = F.gelu(known + self.tell_time(torch.cat([angles.sin(), angles.cos()], -1)))
        x = self.enter(point)
        for block in self.blocks:
            x = block(x, known)
        return self.leave(x)

    def losses(self, context: Tensor, targets: Tensor, switches: Tensor) -> dict[str, Tensor]:
        cfg, chunk = self.cfg, torch.cat([targets, 2 * switches - 1], -1).flatten(1)
        t = torch.rand(len(chunk), 1, device=chunk.device)
        share, rest = schedule(cfg.path, t)
        found = self(share * chunk + rest * torch.randn_like(chunk), t, self.know(context))
        error = (found.float() - chunk).square().unflatten(-1, (self.sizes.chunk, -1))
        error = error * (1 / rest.square()).clamp_max(cfg.max_weight)[..., None]
        values = self.sizes.values
        pose = error[..., :values].mean() if values else error.sum() * 0
        gripper = error[..., values:].mean() if self.sizes.switches else pose * 0
        return {"loss": pose + cfg.gripper_weight * gripper, "pose": pose, "gripper": gripper}

    def predict(self, context: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        known, point = self.know(context), self.cfg.temperature * noise
        times = torch.linspace(0, 1, int(self.cfg.solver_steps) + 1, device=noise.device)
        shares, rests = schedule(self.cfg.path, times)
        chunk = point
        for k in range(len(times) - 1):
            chunk = self(point, times[k].expand(len(point), 1), known)
            # the noise that, with this chunk, makes the point: it stays, and only its share becomes smaller
            left = (point - shares[k] * chunk) / rests[k]
            point = shares[k + 1] * chunk + rests[k + 1] * left
        chunk = chunk.unflatten(-1, (self.sizes.chunk, -1))
        return chunk[..., : self.sizes.values], chunk[..., self.sizes.values :]

    @property
    def noise_size(self) -> int:
        return self.sizes.chunk * (self.sizes.values + self.sizes.switches)


class Flow(ChunkPolicy):
    """The algorithm, whichever the path."""

    def _create_model(self, sizes: Sizes) -> ChunkModel:
        return FlowNetwork(sizes, self.algo_config)


def algo_config_to_class(algo_config: Any) -> tuple[type[PolicyAlgo], dict[str, Any]]:
    """Robomimic asks here for the class."""
    return Flow, {}


for _name in ("flow", "diffusion"):
    register_algo_factory_func(_name)(algo_config_to_class)
