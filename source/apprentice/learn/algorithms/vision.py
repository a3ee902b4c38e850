"""Cameras for chunk policies: small convolutional encoders that say where things are in the image.

Every camera has its own encoder, which ends in a spatial softmax (Finn et al. 2016, arXiv 1509.06113): expected image
coordinates of learned keypoints. Where the demos hold object poses, the encoders also learn to tell them. Simulated
demos know these for free; at play nothing but images and proprioception goes in. That is what makes a few thousand
steps on a CPU enough: the gradient of actions alone says little about where in an image a cube is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SpatialSoftmax(nn.Module):
    """Feature maps to keypoints: where each map is large, and how large it is."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.ones(maps))

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) to (N, 3 * C): x and y from -1 to 1, and the logarithm of the sum of exponentials."""
        x = x.float()
        height, width = x.shape[-2:]
        flat = x.flatten(2)
        weights = (flat * self.sharpness[None, :, None]).softmax(-1)
        rows = torch.linspace(-1.0, 1.0, height, device=x.device)
        columns = torch.linspace(-1.0, 1.0, width, device=x.device)
        grid = torch.stack([columns.repeat(height), rows.repeat_interleave(width)], -1)
        return torch.cat([(weights @ grid).flatten(1), 0.1 * flat.logsumexp(-1)], -1)


class ImageEncoder(nn.Module):
    """One camera's image to an embedding."""

    def __init__(self, channels: int, cfg: Any) -> None:
        """Build it for images of this many channels. `cfg` is `config.algo.vision`."""
        super().__init__()
        layers: list[nn.Module] = []
        for number, width in enumerate(cfg.channels):
            kernel, stride = (5, 2) if number == 0 else (3, 2 if number == 1 else 1)
            layers += [nn.Conv2d(channels, width, kernel, stride, kernel // 2), nn.ReLU()]
            channels = width
        self.maps = nn.Sequential(*layers, nn.Conv2d(channels, cfg.keypoints, 1))
        self.keypoints = SpatialSoftmax(cfg.keypoints)
        self.embed = nn.Sequential(nn.Linear(3 * cfg.keypoints, cfg.embedding), nn.LayerNorm(cfg.embedding), nn.GELU())

    def forward(self, image: Tensor) -> Tensor:
        """Values from 0 to 1, shape (N, C, H, W), to shape (N, E)."""
        return self.embed(self.keypoints(self.maps((image - 0.5) * 4.0)))


class Vision(nn.Module):
    """All cameras of a policy, and what they are taught to tell of the objects."""

    def __init__(self, cameras: Mapping[str, Sequence[int]], features: int, told: int, cfg: Any) -> None:
        """Build it.

        Args:
            cameras: Shape (C, H, W) of each camera's image, by observation key.
            features: Width of the proprioceptive features, F.
            told: Width of the object features that the demos hold, P; 0 if they hold none.
            cfg: `config.algo.vision`.
        """
        super().__init__()
        self.keys = tuple(cameras)
        self.encoders = nn.ModuleList([ImageEncoder(int(shape[0]), cfg) for shape in cameras.values()])
        width = cfg.embedding * len(cameras)
        self.teller = nn.Sequential(
            nn.Linear(width + features, 256), nn.LayerNorm(256), nn.GELU(), nn.Linear(256, told)
        ) if told else None  # fmt: skip
        self.width = width + told

    def forward(self, images: Mapping[str, Tensor], features: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the policy gets to know.

        Args:
            images: By observation key, values from 0 to 1. Shapes (N, C, H, W).
            features: Normalised proprioception of the same moment. Shape (N, F).

        Returns:
            The embedding with what was told, shape (N, width), and what was told, shape (N, P), None where P is 0.
        """
        seen = torch.cat([encode(images[key]) for key, encode in zip(self.keys, self.encoders, strict=True)], -1)
        if self.teller is None:
            return seen, None
        told = self.teller(torch.cat([seen, features.to(seen.dtype)], -1))
        return torch.cat([seen, told], -1), told


def augmented(image: Tensor, cfg: Any) -> Tensor:
    """A batch of images, each shifted and recoloured at random. Same shape, (N, C, H, W), values from 0 to 1.

    Args:
        image: The batch.
        cfg: `config.algo.vision`: `shift_px`, `colour`.
    """
    count = len(image)
    if cfg.shift_px:
        reach, (height, width) = int(cfg.shift_px), image.shape[-2:]
        padded = F.pad(image, (reach,) * 4, mode="replicate")
        corner = torch.randint(0, 2 * reach + 1, (2, count), device=image.device)
        rows = corner[0][:, None] + torch.arange(height, device=image.device)
        columns = corner[1][:, None] + torch.arange(width, device=image.device)
        each = torch.arange(count, device=image.device)[:, None, None]
        image = padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if cfg.colour:
        channels = image.shape[1]
        gain = 1.0 + cfg.colour * (2.0 * torch.rand(count, channels, 1, 1, device=image.device) - 1.0)
        offset = cfg.colour * (torch.rand(count, 1, 1, 1, device=image.device) - 0.5)
        image = (image * gain + offset).clamp(0.0, 1.0)
    return image
