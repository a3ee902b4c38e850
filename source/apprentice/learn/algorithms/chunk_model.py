"""What the networks of all chunk policies have in common: statistics that normalise, and cameras."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from apprentice.learn.algorithms.subtask_head import SubtaskHead
from apprentice.learn.algorithms.vision import Vision
from apprentice.learn.data.subtasks import Subtasks


@dataclass(kw_only=True, frozen=True)
class Sizes:
    """What a network takes in and gives out."""

    features: int
    """Features of one observation, F."""
    frames: int
    """Observations seen, T."""
    chunk: int
    """Steps predicted, H."""
    values: int
    """Regressed values in each step, V."""
    switches: int
    """Gripper decisions in each step, B."""
    cameras: Mapping[str, tuple[int, ...]]
    """Shape (C, H, W) of each camera's image, by observation key."""
    told: int = 0
    """Object features that cameras are taught to tell, P."""
    places: Sequence[int] = ()
    """Where among these the position of each object begins."""
    subtasks: Sequence[Subtasks] = ()
    """Of each end effector, if the policy has an upper level that tells which is under way."""


@dataclass(kw_only=True, frozen=True)
class Known:
    """What a policy knows at a moment."""

    context: Tensor
    """All that it acts on. Shape (N, width)."""
    told: Tensor | None
    """What its cameras tell of the objects, as `telling_loss` takes it; None where they tell nothing."""
    subtasks: Tensor | None
    """Logits of the subtask under way, as `SubtaskHead.loss` takes them; None without a hierarchy."""


class ChunkModel(nn.Module):
    """From observations to a chunk. Holds the statistics that normalise, so they go with it.

    A subclass builds its layers for a context of `self.width` numbers, and says what to minimise and what to play.
    """

    def __init__(self, sizes: Sizes, cfg: Any) -> None:
        """Build the parts that all have. `cfg` is `config.algo`."""
        super().__init__()
        self.sizes, self.cfg = sizes, cfg
        self.vision = None
        if sizes.cameras:
            self.vision = Vision(sizes.cameras, sizes.features, sizes.told, sizes.places, cfg.vision)
        self.width = sizes.features * sizes.frames + (self.vision.width if self.vision else 0)
        self.subtasks = SubtaskHead(self.width, sizes.subtasks, cfg.hierarchy) if sizes.subtasks else None
        self.width += self.subtasks.width if self.subtasks else 0
        self.feature_mean: Tensor
        self.feature_std: Tensor
        self.target_mean: Tensor
        self.target_std: Tensor
        self.initial_command: Tensor
        self.told_mean: Tensor
        self.told_std: Tensor
        for name, shape in {
            "feature": (sizes.features,),
            "target": (sizes.chunk, sizes.values),
            **({"told": (sizes.told,)} if sizes.told else {}),
        }.items():
            self.register_buffer(f"{name}_mean", torch.zeros(shape))
            self.register_buffer(f"{name}_std", torch.ones(shape))
        self.register_buffer("initial_command", torch.zeros(sizes.switches))

    def normalise(self, features: Tensor) -> Tensor:
        """Features in standard deviations, clipped. Same shape."""
        clip = self.cfg.feature_clip
        return ((features - self.feature_mean) / self.feature_std).clamp(-clip, clip)

    def fit(self, features: Tensor, targets: Tensor, told: Tensor | None) -> None:
        """Take the statistics from the training data. Shapes (T, F), (T, H, V), (T, P)."""
        floor = self.cfg.feature_std_floor
        self.feature_mean.copy_(features.mean(0))
        self.feature_std.copy_(features.std(0, correction=0).clamp_min(floor))
        self.target_mean.copy_(targets.mean(0))
        self.target_std.copy_(targets.std(0, correction=0).clamp_min(1e-4))
        if told is not None:
            self.told_mean.copy_(told.mean(0))
            self.told_std.copy_(told.std(0, correction=0).clamp_min(floor))

    def context(self, history: Tensor, images: Mapping[str, Tensor], subtask: Tensor | None = None) -> Known:
        """What the policy knows.

        Args:
            history: Normalised features. Shape (N, T, F).
            images: By observation key, values from 0 to 1. Shapes (N, C, H, W).
            subtask: Which subtask of the demos is under way, in training. Shape (N, E).
        """
        context, told, logits = history.flatten(1), None, None
        if self.vision is not None:
            seen, told = self.vision(images, history[:, -1])
            context = torch.cat([context, seen.to(context.dtype)], -1)
        if self.subtasks is not None:
            upper, logits = self.subtasks(context, subtask)
            context = torch.cat([context, upper.to(context.dtype)], -1)
        return Known(context=context, told=told, subtasks=logits)

    def telling_loss(self, told: Tensor, truth: Tensor) -> Tensor:
        """How far off the cameras were about the objects.

        Args:
            told: From `context`.
            truth: What they should have told. Shape (N, P).
        """
        clip = self.cfg.feature_clip
        wanted = ((truth - self.told_mean) / self.told_std).clamp(-clip, clip)
        assert self.vision is not None
        return F.smooth_l1_loss(told.float(), self.vision.wanted(wanted))

    @abstractmethod
    def losses(self, context: Tensor, targets: Tensor, switches: Tensor) -> dict[str, Tensor]:
        """What to minimise, "loss", and its parts.

        Args:
            context: From `context`. Shape (N, width).
            targets: Of the demos, normalised. Shape (N, H, V).
            switches: Likewise, 0 or 1. Shape (N, H, B).
        """

    @abstractmethod
    def predict(self, context: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The chunk to play.

        Args:
            context: From `context`. Shape (N, width).
            noise: Normal numbers for those that draw their chunk. Shape (N, noise_size).

        Returns:
            Normalised targets of shape (N, H, V), gripper logits of shape (N, H, B).
        """

    @property
    def noise_size(self) -> int:
        """Normal numbers that `predict` needs for each row."""
        return 0
