"""ACT, Action Chunking with Transformers (Zhao et al. 2023, arXiv 2304.13705).

A transformer predicts the chunk from tokens: one for each observation of the history, one for each camera, and a style
variable z. In training, a second transformer sees the chunk of the demo and writes into z what the observations do not
say, such as which of two grasps is taken; the less, the better (a conditional variational autoencoder). In play z is 0,
the most usual style. Two things differ from the paper, both for the sake of a CPU: the networks are small, and a query
stands for a few consecutive steps of the chunk. A Robomimic plug-in: importing this module registers it as `act`.
"""

from __future__ import annotations

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


class ACTConfig(ChunkPolicyConfig, BaseConfig):
    """Robomimic config of the algorithm."""

    ALGO_NAME = "act"  # pyright: ignore  (Robomimic declares a property)

    def train_config(self) -> None:
        super().train_config()
        self.train.batch_size = 256

    def algo_config(self) -> None:
        super().algo_config()
        self.algo.steps = 2500
        self.algo.query_steps = 5  # steps of the chunk that one query stands for; divides `chunk`
        self.algo.width = 128  # of a token
        self.algo.heads = 4
        self.algo.feedforward = 512
        self.algo.encoder_layers = 2
        self.algo.decoder_layers = 2
        self.algo.style_layers = 1  # of the transformer that sees the chunk in training
        self.algo.style_size = 32  # numbers of z
        self.algo.style_weight = 0.1  # of z's divergence from a normal distribution [nat]


class Attention(nn.Module):
    """Tokens that look at tokens, with several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask, self.offer, self.close = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """Shapes (N, L, width) and (N, S, width) to (N, L, width)."""
        query = self.ask(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = self.offer(seen).unflatten(-1, (2 * self.heads, -1)).transpose(1, 2).chunk(2, 1)
        found = F.scaled_dot_product_attention(query, key, value)
        return self.close(found.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """One layer of a transformer; with `cross` its tokens look at a memory too."""

    def __init__(self, cfg: Any, cross: bool = False) -> None:
        """Build it. `cfg` is `config.algo`."""
        super().__init__()
        width = int(cfg.width)
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(3 if cross else 2)])
        self.self_attention = Attention(width, int(cfg.heads))
        self.cross_attention = Attention(width, int(cfg.heads)) if cross else None
        self.feedforward = nn.Sequential(
            nn.Linear(width, int(cfg.feedforward)), nn.GELU(), nn.Linear(int(cfg.feedforward), width)
        )

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        """Shapes (N, L, width) and (N, S, width) to (N, L, width)."""
        own = self.norms[0](x)
        x = x + self.self_attention(own, own)
        if self.cross_attention is not None and memory is not None:
            x = x + self.cross_attention(self.norms[2](x), memory)
        return x + self.feedforward(self.norms[1](x))


class ACTNetwork(ChunkModel):
    """The transformer, and the one that gives it a style in training."""

    def __init__(self, sizes: Sizes, cfg: Any) -> None:
        """Build it. `cfg` is `config.algo`.

        Raises:
            UserError: If `query_steps` does not divide `chunk`.
        """
        super().__init__(sizes, cfg)
        width, steps = int(cfg.width), int(cfg.query_steps)
        if sizes.chunk % steps:
            raise UserError(f"Expected algo.query_steps to divide algo.chunk ({sizes.chunk}), found {steps}.")
        queries, numbers = sizes.chunk // steps, steps * (sizes.values + sizes.switches)
        # the context as tokens: what each holds, as numbers
        upper = self.subtasks.width if self.subtasks else 0
        seen = self.width - sizes.features * sizes.frames - sizes.told - upper
        self.parts = [sizes.features] * sizes.frames + [seen // max(len(sizes.cameras), 1)] * len(sizes.cameras)
        self.parts += [part for part in (sizes.told, upper) if part]
        self.tokens = nn.ModuleList([nn.Linear(part, width) for part in self.parts])
        self.places = nn.Parameter(0.02 * torch.randn(len(self.parts), width))
        self.encoder = nn.Sequential(*[Layer(cfg) for _ in range(int(cfg.encoder_layers))], nn.LayerNorm(width))
        self.queries = nn.Parameter(torch.randn(queries, width))
        self.decoder = nn.ModuleList([Layer(cfg, cross=True) for _ in range(int(cfg.decoder_layers))])
        self.answer = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, numbers))

        self.style_size = int(cfg.style_size)
        self.style_token = nn.Linear(self.style_size, width)
        self.chunk_token = nn.Linear(numbers, width)
        self.style_places = nn.Parameter(torch.randn(1 + queries, width))
        self.style = nn.Sequential(*[Layer(cfg) for _ in range(int(cfg.style_layers))], nn.LayerNorm(width))
        self.say_style = nn.Linear(width, 2 * self.style_size)

    def forward(self, context: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """The chunk in some style.

        Args:
            context: Shape (N, width).
            style: Shape (N, style_size).

        Returns:
            Normalised targets of shape (N, H, V), gripper logits of shape (N, H, B).
        """
        memory = self.encoder(torch.cat([self._tokens(context), self.style_token(style)[:, None]], 1))
        x = self.queries.expand(len(context), -1, -1).to(memory.dtype)
        for layer in self.decoder:
            x = layer(x, memory)
        chunk = self.answer(x).flatten(1).unflatten(-1, (self.sizes.chunk, -1))
        return chunk[..., : self.sizes.values], chunk[..., self.sizes.values :]

    def style_of(self, context: Tensor, targets: Tensor, switches: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the style of demos. Shapes (N, style_size)."""
        chunk = torch.cat([targets, 2 * switches - 1], -1).flatten(1)
        chunk = self.chunk_token(chunk.unflatten(-1, (len(self.queries), -1)))
        own = self.style_places + torch.cat([torch.zeros_like(chunk[:, :1]), chunk], 1)
        said = self.say_style(self.style(torch.cat([own, self._tokens(context)], 1))[:, 0]).float()
        mean, log_variance = said.chunk(2, -1)
        return mean, log_variance

    def _tokens(self, context: Tensor) -> Tensor:
        parts = zip(self.tokens, context.split(self.parts, -1), strict=True)
        return torch.stack([token(part) for token, part in parts], 1) + self.places

    def losses(self, context: Tensor, targets: Tensor, switches: Tensor) -> dict[str, Tensor]:
        mean, log_variance = self.style_of(context, targets, switches)
        values, logits = self(context, mean + torch.randn_like(mean) * (log_variance / 2).exp())
        pose = (values.float() - targets).abs().mean() if self.sizes.values else values.sum() * 0
        gripper = F.binary_cross_entropy_with_logits(logits.float(), switches) if self.sizes.switches else pose * 0
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1).mean()
        loss = pose + self.cfg.gripper_weight * gripper + self.cfg.style_weight * divergence
        return {"loss": loss, "pose": pose, "gripper": gripper, "divergence": divergence}

    def predict(self, context: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        return self(context, context.new_zeros(len(context), self.style_size))


class ACT(ChunkPolicy):
    """The algorithm."""

    def _create_model(self, sizes: Sizes) -> ChunkModel:
        return ACTNetwork(sizes, self.algo_config)


@register_algo_factory_func("act")
def algo_config_to_class(algo_config: Any) -> tuple[type[PolicyAlgo], dict[str, Any]]:
    """Robomimic asks here for the class."""
    return ACT, {}
