"""Frames of several demos, one demo after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def first_and_last(lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The first and the last frame of the demo that each frame belongs to.

    Args:
        lengths: Frames of each demo.

    Returns:
        Two of shape (T,).
    """
    length = torch.tensor(lengths)
    end = length.cumsum(0)
    return torch.repeat_interleave(end - length, length), torch.repeat_interleave(end - 1, length)
