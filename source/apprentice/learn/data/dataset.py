"""Reading a demo file for training: which demos, which of them are held out, and their frames as tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from apprentice.demos import DemoFile
from apprentice.errors import UserError
from apprentice.learn.cfg import TrainCfg


@dataclass(kw_only=True)
class Frames:
    """Frames of some demos, concatenated."""

    names: list[str]
    """Names of the demos."""
    lengths: list[int]
    """Frames of each."""
    data: dict[str, Tensor]
    """By key of the file ("actions", "obs/eef_pos"). Shape (sum of lengths, ...)."""
    success: list[bool]
    """Whether each demo ends with the task solved."""

    @property
    def num_frames(self) -> int:
        return sum(self.lengths)

    def outcome(self, key: str) -> Tensor:
        """ "rewards" or "dones": the file's, otherwise 1 at the end of each demo that solved its task. Shape (T,)."""
        if key in self.data:
            return self.data[key].float().flatten()
        solved = torch.zeros(self.num_frames)
        solved[torch.tensor(self.lengths).cumsum(0) - 1] = torch.tensor(self.success).float()
        return solved


@dataclass(kw_only=True)
class Source:
    """A demo file, opened to be trained from."""

    path: Path
    train: list[str]
    """Names of the demos to train on."""
    valid: list[str]
    """Names of the demos held out."""
    keys: list[str]
    """Keys that every one of them is expected to have: those of the first."""
    env_args: dict[str, Any]
    """Robomimic's environment metadata."""
    meta: dict[str, Any] = field(default_factory=dict[str, Any])
    """What Apprentice wrote about the file; empty for a foreign one."""

    def obs_keys(self) -> list[str]:
        """Keys below `obs/`."""
        return [key.removeprefix("obs/") for key in self.keys if key.startswith("obs/")]

    def read(self, keys: Sequence[str], names: Sequence[str], images_on: Path | None = None) -> Frames:
        """Frames of some demos. Images lie on the disk of `images_on`, mapped into memory.

        Raises:
            UserError: If a key is missing, its rows are not those of the actions, or a value is not finite.
        """
        missing = [key for key in keys if key not in self.keys]
        if missing:
            known = ", ".join(key for key in self.keys if key.startswith("obs/") or "/" not in key)
            raise UserError(f"Expected {_listed(missing)} in every demo of {self.path}, found only: {known}.")
        with DemoFile(self.path) as file:
            arrays, lengths = file.stack(list(keys), list(names), images_on)
            success = [file.succeeded(name) for name in names]
        data = {key: torch.from_numpy(value) for key, value in arrays.items()}
        return Frames(names=list(names), lengths=[int(n) for n in lengths], data=data, success=success)


def open_source(path: Path, cfg: TrainCfg) -> Source:
    """Choose the demos of a file.

    Raises:
        UserError: If the file has no demos, or not the masks or as many demos as asked for.
    """
    with DemoFile(path) as file:
        names, masks = list(file.names), {mask: members for mask, members in file.masks.items() if members}
        if not names:
            raise UserError(f"Expected demos to train on in {path}, found none; record or augment some first.")
        source = Source(path=path, train=[], valid=[], keys=file.keys(names[0]), env_args=file.env_args, meta=file.meta)
    train = _chosen(path, names, masks, cfg.mask)
    if not cfg.valid_mask:
        valid = []
    elif cfg.valid_mask in masks:
        valid = [name for name in names if name in set(masks[cfg.valid_mask])]
    else:
        count = int(cfg.valid_fraction * len(train))
        # spread over the file, so that the held-out demos come from the whole run that made it
        valid = [train[int((i + 0.5) * len(train) / count)] for i in range(count)]
    held_out = set(valid)
    train = [name for name in train if name not in held_out]
    if cfg.demos is not None:
        if cfg.demos > len(train):
            raise UserError(f"Expected at least {cfg.demos} demos to train on in {path}, found {len(train)}.")
        train = train[: cfg.demos]
    if not train:
        raise UserError(f"Expected demos to train on in {path} besides the {len(valid)} held out, found none.")
    source.train, source.valid = train, valid
    return source


def fingerprint(frames: Frames) -> str:
    """A digest of the demos' names, lengths and every number in them: tells whether two sittings train on the same."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((frames.names, frames.lengths)).encode())
    for key in sorted(frames.data):
        digest.update(key.encode())
        digest.update(frames.data[key].numpy().data)
    return digest.hexdigest()


def _chosen(path: Path, names: list[str], masks: dict[str, list[str]], mask: str | None) -> list[str]:
    if mask is None:
        # the store leaves failed demos out of both
        chosen = {*masks.get("train", names), *masks.get("valid", [])}
    elif mask in masks:
        chosen = set(masks[mask])
    else:
        raise UserError(f"Expected a mask named {mask!r} in {path}, found: {', '.join(sorted(masks)) or 'none'}.")
    return [name for name in names if name in chosen]


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(repr(key) for key in keys)
