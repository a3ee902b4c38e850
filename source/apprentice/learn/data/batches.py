"""Batches: windows of demos, gathered by index from tensors that stay in memory.

The windows are those of Robomimic's `SequenceDataset`, padding included, and `Batches` stands where Robomimic expects a
data loader. All float data lies in one table, one row per frame, so that a window is one contiguous piece of memory and
a batch is one gather.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from apprentice.errors import UserError

Batch = dict[str, Any]
"""Nested as Robomimic wants it: `{"obs": {key: (B, T, ...)}, "actions": (B, T, A), ...}`."""


@dataclass(kw_only=True, frozen=True)
class WindowCfg:
    """How far a window reaches around its present frame; it holds `frame_stack - 1 + seq_length` frames."""

    frame_stack: int = 1
    """Frames up to and including the present one."""
    seq_length: int = 1
    """Frames from the present one on."""
    pad_frame_stack: bool = True
    """Repeat the first frame of a demo where the stack reaches before it; otherwise leave such windows out."""
    pad_seq_length: bool = True
    """Repeat the last frame of a demo where the sequence reaches beyond it; otherwise leave such windows out."""
    next_obs: bool = False
    """Also give `next_obs`: each frame's observations one step later, those of the last frame once more."""
    goal_obs: bool = False
    """Also give `goal_obs`: observations at the end of the demo, without padding those where its last window starts."""

    @property
    def size(self) -> int:
        """Frames in a window."""
        return self.frame_stack - 1 + self.seq_length


class Windows:
    """Every window of every demo, in the order of the demos and of time within each."""

    def __init__(
        self,
        data: Mapping[str, Tensor],
        lengths: Sequence[int],
        cfg: WindowCfg | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Lay the table out.

        Args:
            data: Frames of all demos, concatenated, by key. Shape (sum of lengths, ...). Images (uint8, and depth as
                half floats) stay what they are, everything else becomes float32.
            lengths: Frames of each demo.
            cfg: Reach of a window.
            device: Where the table lives and batches appear.

        Raises:
            UserError: If a demo is too short for a window that may not be padded.
        """
        cfg = cfg or WindowCfg()
        self.cfg = cfg
        self._shapes = {key: tuple(value.shape[1:]) for key, value in data.items() if not _is_image(value)}
        self._reach = cfg.size + cfg.next_obs
        rows, starts, goals = _layout(lengths, cfg)
        flat = [data[key].reshape(len(data[key]), -1).float() for key in self._shapes]
        table = torch.cat(flat, 1)[rows].to(device) if flat else torch.zeros(len(rows), 0, device=device)
        width = table.shape[1]
        # Overlapping views of the table, one row per window: row i is the `reach` frames from padded frame i on.
        self._table = table.as_strided((max(len(rows) - self._reach + 1, 0), self._reach * width), (max(width, 1), 1))
        self._frames = table
        self._width = width
        images = {key: value for key, value in data.items() if _is_image(value)}
        self._images_on = images_device(sum(value.nbytes for value in images.values()), torch.device(device))
        self._images = {key: value.to(self._images_on) for key, value in images.items()}
        self._image_rows = rows.to(self._images_on)
        self._starts = starts
        self._goals = goals
        self._device = torch.device(device)

    def __len__(self) -> int:
        return len(self._starts)

    def gather(self, index: Tensor) -> dict[str, Tensor]:
        """Windows by number.

        Args:
            index: Which windows. Shape (B,), int64, on the CPU.

        Returns:
            Frames by key. Shape (B, frame_stack - 1 + seq_length, ...). "next_obs/KEY" likewise, "goal_obs/KEY" of
            shape (B, ...), if the windows have them.
        """
        start = self._starts[index].to(self._device)
        flat = self._table.index_select(0, start).view(len(index), self._reach, self._width)
        frames = self._columns(flat)
        if self._images:
            frames |= self._seen(start[:, None] + torch.arange(self._reach, device=self._device))
        size = self.cfg.size
        batch = {key: value[:, :size] for key, value in frames.items()}
        if self.cfg.next_obs:
            batch |= {f"next_{key}": value[:, 1:] for key, value in frames.items() if key.startswith("obs/")}
        if self.cfg.goal_obs:
            goals = self._goals[index].to(self._device)
            ends = self._columns(self._frames.index_select(0, goals)[:, None])
            ends |= self._seen(goals[:, None])
            batch |= {f"goal_{key}": value[:, 0] for key, value in ends.items() if key.startswith("obs/")}
        return batch

    def _seen(self, rows: Tensor) -> dict[str, Tensor]:
        """Images at rows of the table, by key. Shape (B, T) to (B, T, H, W, C)."""
        rows = self._image_rows[rows.to(self._images_on)]
        return {key: _take_bytes(value, rows).to(self._device) for key, value in self._images.items()}

    def _columns(self, frames: Tensor) -> dict[str, Tensor]:
        """Rows of the table by key. Shape (B, T, width) to (B, T, ...)."""
        found: dict[str, Tensor] = {}
        column = 0
        for key, shape in self._shapes.items():
            width = math.prod(shape)
            part = frames[:, :, column : column + width]
            found[key] = part.reshape(*part.shape[:2], *shape) if len(shape) != 1 else part
            column += width
        return found


class Batches:
    """Shuffled batches of windows: Robomimic's data loader, with a memory that is one number.

    The order of pass `p` depends on the seed and `p` only, so the batch of any training step can be had again.
    """

    def __init__(self, windows: Windows, batch_size: int, seed: int = 0) -> None:
        """Batch `windows`; where there are fewer than `batch_size`, every batch holds them all."""
        if not len(windows):
            raise UserError("Expected at least one window to train on, found none; the demos have no frames.")
        self.windows = windows
        self.batch_size = min(batch_size, len(windows))
        self._seed = seed
        self._pass = -1
        self._order = torch.zeros(0, dtype=torch.int64)
        self._next_pass = 0
        self.share = slice(None)
        """Which rows of every batch are gathered: those of one process among several."""

    def __len__(self) -> int:
        """Batches in one pass. What does not fill a batch waits for a pass that shuffles it forward."""
        return len(self.windows) // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        """One shuffled pass; the next iterator shuffles anew."""
        first = self._next_pass * len(self)
        self._next_pass += 1
        for step in range(first, first + len(self)):
            yield self.batch(step)

    def batch(self, step: int) -> Batch:
        """The batch of training step `step`, counted from 0 over all passes."""
        number, position = divmod(step, len(self))
        if number != self._pass:
            generator = torch.Generator().manual_seed((self._seed * 1_000_003 + number) % 2**63)
            self._order, self._pass = torch.randperm(len(self.windows), generator=generator), number
        rows = self._order[position * self.batch_size : (position + 1) * self.batch_size]
        return nest(self.windows.gather(rows[self.share]))


def images_device(size: int, device: torch.device) -> torch.device:
    """Where the images of a training lie: with everything else on a GPU if they leave half of what is free there.

    Args:
        size: Of all images (bytes).
        device: Where the training takes place.
    """
    if device.type == "cuda" and 2 * size > torch.cuda.mem_get_info(device)[0]:
        return torch.device("cpu")
    return device


def nest(flat: Mapping[str, Tensor]) -> Batch:
    """Robomimic's nesting of flat keys: "obs/eef_pos" becomes ["obs"]["eef_pos"], deeper slashes stay in the name."""
    batch: Batch = {}
    for key, value in flat.items():
        group, _, name = key.partition("/")
        if name:
            batch.setdefault(group, {})[name] = value
        else:
            batch[key] = value
    return batch


def _layout(lengths: Sequence[int], cfg: WindowCfg) -> tuple[Tensor, Tensor, Tensor]:
    """The padded sequence of frames, as rows of the unpadded data, and where in it each window and its goal start."""
    before = cfg.frame_stack - 1 if cfg.pad_frame_stack else 0
    after = cfg.seq_length - 1 if cfg.pad_seq_length else 0
    cut = cfg.seq_length - 1 - after
    rows: list[Tensor] = []
    starts: list[Tensor] = []
    goals: list[Tensor] = []
    first = padded = 0
    for number, length in enumerate(lengths):
        count = length + before + after - (cfg.size - 1)
        if count < 1:
            raise UserError(
                f"Expected every demo to have at least {cfg.size - before - after} frames, the {number + 1}th has"
                f" {length}; remove it or allow padding (pad_frame_stack, pad_seq_length)."
            )
        beyond = after + cfg.next_obs
        rows.append(torch.arange(-before, length + beyond).clamp(0, length - 1) + first)
        starts.append(torch.arange(count) + padded)
        goals.append(torch.full((count,), padded + before + min(length - cut, length - 1)))
        first += length
        padded += length + before + beyond
    if not rows:
        none = torch.zeros(0, dtype=torch.int64)
        return none, none, none
    return torch.cat(rows), torch.cat(starts), torch.cat(goals)


def _is_image(value: Tensor) -> bool:
    return value.dtype in (torch.uint8, torch.float16)


def _take_bytes(value: Tensor, rows: Tensor) -> Tensor:
    """Rows of images, eight bytes at a time where that is possible: several times faster."""
    flat = value.reshape(len(value), -1)
    if flat.shape[1] * flat.itemsize % 8 == 0:
        taken = flat.view(torch.int64).index_select(0, rows.reshape(-1)).view(value.dtype)
    else:
        taken = flat.index_select(0, rows.reshape(-1))
    return taken.view(*rows.shape, *value.shape[1:])
