"""Robomimic's filter keys: which demos to train on, which to validate on, which succeeded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from apprentice.demos.hdf5 import H5
from apprentice.demos.schema import demo_number, in_order

_BLOCK = 10
"""One demo in this many is for validation."""


def for_validation(name: str) -> bool:
    """Whether a demo is for validation: one of each ten by number, which one is drawn by hash.

    It depends on nothing but the number, so a demo never changes sides while its file grows.
    """
    number = demo_number(name) or 0
    block, member = divmod(number, _BLOCK)
    drawn = hashlib.blake2b(str(block).encode(), digest_size=8).digest()
    return member == int.from_bytes(drawn) % _BLOCK


def read(file: H5) -> dict[str, list[str]]:
    """Names of demos by mask, empty if the file has none."""
    if "mask" not in file:
        return {}
    return {str(mask): [_text(name) for name in names[()]] for mask, names in file["mask"].items()}


def extended(masks: Mapping[str, list[str]], successes: Mapping[str, bool]) -> dict[str, list[str]]:
    """`masks` with further demos sorted into "train", "valid" and "success"; failed ones are in none of them.

    Args:
        masks: What there is; masks of other names stay as they are.
        successes: Whether each new demo succeeded.
    """
    kept = [name for name, success in successes.items() if success]
    new = {
        "train": [name for name in kept if not for_validation(name)],
        "valid": [name for name in kept if for_validation(name)],
        "success": kept,
    }
    return dict(masks) | {mask: in_order({*masks.get(mask, ()), *names}) for mask, names in new.items()}


def write(file: H5, masks: Mapping[str, list[str]]) -> None:
    """Set the named masks of a demo file that is open for writing."""
    group = file.require_group("mask")
    for mask, names in masks.items():
        if mask in group:
            del group[mask]
        group.create_dataset(mask, data=np.array(names, dtype="S" if names else "S8"))


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
