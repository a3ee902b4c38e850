"""The upper level of a chunk policy: it tells which subtask is under way, and the lower level acts on what it told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from apprentice.learn.data.subtasks import Subtasks, embedded


class SubtaskHead(nn.Module):
    """From what a policy knows to the subtask of each end effector, and from these to what it acts on."""

    def __init__(self, width: int, subtasks: Sequence[Subtasks], cfg: Any) -> None:
        """Build it for contexts of this width. `cfg` is `config.algo.hierarchy`."""
        super().__init__()
        self.counts = [len(one.words) for one in subtasks]
        self.truth = float(cfg.truth)
        hidden = int(cfg.width)
        self.tell = nn.Sequential(
            nn.Linear(width, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, sum(self.counts))
        )
        size = int(cfg.words)
        self.width = sum(self.counts) + size * len(self.counts)
        """Numbers that tell the lower level of all end effectors' subtasks."""
        for number, one in enumerate(subtasks):
            table = torch.stack([embedded(words, size) for words in one.words])
            self.register_buffer(f"words_{number}", table, persistent=False)

    def forward(self, context: Tensor, truth: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the lower level is told, and the logits behind it.

        Args:
            context: Shape (N, width).
            truth: Subtasks of the demos, in training. Shape (N, E).

        Returns:
            Shape (N, self.width), and (N, sum of the subtasks of all end effectors).
        """
        logits = self.tell(context)
        chosen = torch.stack([part.argmax(-1) for part in logits.split(self.counts, -1)], -1)
        if truth is not None and self.training:
            # mostly what will be told at play, so that the lower level knows how far to trust it
            told = torch.rand(len(truth), 1, device=truth.device) < self.truth
            chosen = torch.where(told, truth.long(), chosen)
        parts: list[Tensor] = []
        for number, count in enumerate(self.counts):
            which = (chosen[:, number, None] == torch.arange(count, device=chosen.device)).to(context.dtype)
            parts += [which, which @ self.get_buffer(f"words_{number}").to(context.dtype)]
        return torch.cat(parts, -1), logits

    def loss(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Cross-entropy of what it tells, the mean over end effectors. Shapes (N, sum) and (N, E)."""
        parts = logits.float().split(self.counts, -1)
        each = [F.cross_entropy(part, truth[:, number].long()) for number, part in enumerate(parts)]
        return torch.stack(each).mean()
