"""Cameras for chunk policies: small convolutional encoders that say where things are in the image.

Every camera has its own encoder, which ends in a spatial softmax (Finn et al. 2016, arXiv 1509.06113): expected image
coordinates of learned keypoints. Where the demos hold object poses, the encoders also learn to tell them. Simulated
demos know these for free; at play nothing but images and proprioception goes in. That is what makes a few thousand
steps on a CPU enough: the gradient of actions alone says little about where in an image a cube is.

How it is turned says even less: it is a matter of a few pixels, wherever in the image they are. So one keypoint follows
each object, being the only one that may tell where it is, and what is around it is looked at once more, closely: a
glimpse, cut out at full resolution (Mnih et al. 2014, arXiv 1406.6247). That keypoint has to be a point: a map that is
bright all over has its middle, too, move with the object, but not be where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_NEAR_M = 0.5
"""Depth in the middle of the range of what encoders are given (m)."""
_JITTER = 0.05
"""How far beside its keypoint a glimpse may be in training, in halves of the image."""


class SpatialSoftmax(nn.Module):
    """Feature maps to keypoints: where each map is large, and how large it is."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.ones(maps))

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) to (N, C, 4): x and y from -1 to 1, their variance, and the logarithm of the sum of
        exponentials.
        """
        x = x.float()
        height, width = x.shape[-2:]
        flat = x.flatten(2)
        weights = (flat * self.sharpness[None, :, None]).softmax(-1)
        rows = torch.linspace(-1.0, 1.0, height, device=x.device)
        columns = torch.linspace(-1.0, 1.0, width, device=x.device)
        grid = torch.stack([columns.repeat(height), rows.repeat_interleave(width)], -1)
        middle = weights @ grid
        spread = (weights @ (grid * grid) - middle * middle).sum(-1, keepdim=True)
        return torch.cat([middle, spread, 0.1 * flat.logsumexp(-1, keepdim=True)], -1)


class ImageEncoder(nn.Module):
    """One camera's image to an embedding, and to where in it the objects are."""

    def __init__(self, shape: Sequence[int], objects: int, cfg: Any) -> None:
        """Build it for images of this shape, (C, H, W), and so many objects. `cfg` is `config.algo.vision`."""
        super().__init__()
        self.objects = objects
        self.glimpse_px = min(int(cfg.get("glimpse_px", 0)), *shape[1:]) if objects else 0  # before 0.3: none
        self.maps = nn.Sequential(*_convolutions(shape[0], cfg), nn.Conv2d(cfg.channels[-1], cfg.keypoints, 1))
        self.keypoints = SpatialSoftmax(cfg.keypoints)
        width = 4 * cfg.keypoints
        if self.glimpse_px:
            convolved = nn.Sequential(*_convolutions(shape[0], cfg), nn.Flatten())
            seen = convolved(torch.zeros(1, shape[0], self.glimpse_px, self.glimpse_px)).shape[1]
            self.look_closely = nn.Sequential(convolved, nn.Linear(seen, cfg.embedding), nn.GELU())
            width += objects * cfg.embedding
        self.embed = nn.Sequential(nn.Linear(width, cfg.embedding), nn.LayerNorm(cfg.embedding), nn.GELU())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Values from 0 to 1, shape (N, C, H, W), to an embedding (N, E) and the objects' keypoints (N, K, 4)."""
        image = (image - 0.5) * 4.0
        keypoints = self.keypoints(self.maps(image))
        places, seen = keypoints[:, : self.objects], keypoints.flatten(1)
        if self.glimpse_px:
            centres = places[..., :2].detach()
            if self.training:  # so that it need not be exact
                centres = centres + _JITTER * (2 * torch.rand_like(centres) - 1)
            glimpses = cut_out(image, centres, self.glimpse_px)
            close = self.look_closely(glimpses.flatten(0, 1)).unflatten(0, places.shape[:2])
            seen = torch.cat([seen, close.flatten(1).to(seen.dtype)], -1)
        return self.embed(seen), places


class Vision(nn.Module):
    """All cameras of a policy, and what they are taught to tell of the objects."""

    def __init__(
        self, cameras: Mapping[str, Sequence[int]], features: int, told: int, places: Sequence[int], cfg: Any
    ) -> None:
        """Build it.

        Args:
            cameras: Shape (C, H, W) of each camera's image, by observation key.
            features: Width of the proprioceptive features, F.
            told: Width of the object features that the demos hold, P; 0 if they hold none.
            places: Where among these the position of each of the K objects begins.
            cfg: `config.algo.vision`.
        """
        super().__init__()
        self.keys, self.places = tuple(cameras), tuple(places) if cfg.get("glimpse_px", 0) else ()
        self.encoders = nn.ModuleList([ImageEncoder(shape, len(self.places), cfg) for shape in cameras.values()])
        width = cfg.embedding * len(cameras)
        self.teller = _head(width + features, told) if told else None
        # the same for all objects: from where one is in the images to where it is
        self.placer = _head(4 * len(cameras) + features, 3) if self.places else None
        self.width = width + told

    def forward(self, images: Mapping[str, Tensor], features: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the policy gets to know.

        Args:
            images: By observation key, values from 0 to 1. Shapes (N, C, H, W).
            features: Normalised proprioception of the same moment. Shape (N, F).

        Returns:
            The embedding with what was told, shape (N, width); what was told, after it each object's position as its
            keypoints alone tell it, and how spread out these are, shape (N, P + K * (3 + cameras)), None where P is 0.
        """
        looks = [encode(images[key]) for key, encode in zip(self.keys, self.encoders, strict=True)]
        seen = torch.cat([embedding for embedding, _ in looks], -1)
        if self.teller is None:
            return seen, None
        told = self.teller(torch.cat([seen, features.to(seen.dtype)], -1))
        known = torch.cat([seen, told], -1)
        if self.placer is not None:
            keypoints = torch.cat([places for _, places in looks], -1)
            moment = features[:, None].expand(-1, len(self.places), -1)
            placed = self.placer(torch.cat([keypoints, moment.to(keypoints.dtype)], -1))
            told = torch.cat([told, placed.flatten(1), keypoints[..., 2::4].flatten(1)], -1)
        return known, told

    def wanted(self, truth: Tensor) -> Tensor:
        """What should have been told, of the true object features: points. Shapes as told from (N, P)."""
        spread = truth.new_zeros(len(truth), len(self.places) * len(self.keys))
        return torch.cat([truth, *(truth[:, start : start + 3] for start in self.places), spread], -1)


def _convolutions(channels: int, cfg: Any) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for number, width in enumerate(cfg.channels):
        kernel, stride = (5, 2) if number == 0 else (3, 2 if number == 1 else 1)
        layers += [nn.Conv2d(channels, width, kernel, stride, kernel // 2), nn.ReLU()]
        channels = width
    return layers


def _head(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 256), nn.LayerNorm(256), nn.GELU(), nn.Linear(256, outputs))


def cut_out(image: Tensor, centres: Tensor, size: int) -> Tensor:
    """Square pieces of images, as near to their centres as they fit in.

    Args:
        image: Shape (N, C, H, W).
        centres: x and y from -1 to 1. Shape (N, K, 2).
        size: Their width and height in pixels.

    Returns:
        Shape (N, K, C, size, size).
    """
    room = torch.tensor([image.shape[-1], image.shape[-2]], device=image.device) - size
    corners = (0.5 * (centres + 1.0) * (room + size - 1) - 0.5 * (size - 1)).round().long()
    corners = torch.minimum(corners.clamp_min(0), room)
    steps = torch.arange(size, device=image.device)
    rows, columns = corners[..., 1, None] + steps, corners[..., 0, None] + steps
    each = torch.arange(len(image), device=image.device)[:, None, None, None]
    return image.permute(0, 2, 3, 1)[each, rows[..., :, None], columns[..., None, :]].permute(0, 1, 4, 2, 3)


def prepared(image: Tensor) -> Tensor:
    """Values from 0 to 1 of an image, which are what the encoders take. Same shape, (N, C, H, W).

    Bytes are scaled. Depth (one channel, metres) becomes the share of it in itself and half a metre: near things are
    told apart finely, and what is infinitely far away, or nothing, is 1.
    """
    if image.dtype == torch.uint8:
        return image.float() / 255.0
    if image.shape[1] > 1:
        return image
    depth = image.float()
    return torch.where(depth.isfinite() & (depth > 0), depth / (depth + _NEAR_M), 1.0)


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
    if cfg.colour and image.shape[1] > 1:  # depth has none
        channels = image.shape[1]
        gain = 1.0 + cfg.colour * (2.0 * torch.rand(count, channels, 1, 1, device=image.device) - 1.0)
        offset = cfg.colour * (torch.rand(count, 1, 1, 1, device=image.device) - 0.5)
        image = (image * gain + offset).clamp(0.0, 1.0)
    return image
