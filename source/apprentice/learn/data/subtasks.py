"""Which subtask of a task is under way: from the signals of demos to numbers, and from its words to numbers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

SIGNAL = "datagen_info/subtask_term_signals/"
"""Where, below `obs/`, demos tell whether a subtask is done."""


@dataclass(kw_only=True, frozen=True)
class Subtasks:
    """The subtasks of one end effector, in order. The last one ends with the task."""

    signals: tuple[str, ...]
    """Of the end of each but the last."""
    words: tuple[str, ...]
    """What each one does; empty text where nobody said. One more than signals."""

    @staticmethod
    def of_file(meta: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Subtasks]:
        """Those that a demo file tells of, by end effector.

        Args:
            meta: What the file says of its demos.
            keys: Observations of its demos.
        """
        found: dict[str, Subtasks] = {}
        for eef, parts in meta.get("subtasks", {}).items():
            signalled = [part for part in parts[:-1] if part["signal"] and SIGNAL + part["signal"] in keys]
            words = [part.get("description", "") for part in (*signalled, parts[-1])]
            if signalled:
                found[eef] = Subtasks(signals=tuple(part["signal"] for part in signalled), words=tuple(words))
        return found

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Subtasks:
        """From what `to_dict` gave, through JSON."""
        return Subtasks(signals=tuple(values["signals"]), words=tuple(values["words"]))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"signals": list(self.signals), "words": list(self.words)}


def under_way(signals: Mapping[str, Tensor], subtasks: Sequence[Subtasks], lengths: Sequence[int]) -> Tensor:
    """Which subtask each end effector is at, at every frame of demos.

    A subtask is over once its signal has been true, and so are those before it: a grasp that is let go of on purpose
    does not begin anew.

    Args:
        signals: By key below `obs/`. Shape (T,) or (T, 1).
        subtasks: Of each of E end effectors.
        lengths: Frames of each demo.

    Returns:
        Counted from 0. Shape (T, E), float.
    """
    columns: list[Tensor] = []
    for one in subtasks:
        told = torch.stack([signals[SIGNAL + name].reshape(-1) > 0.5 for name in one.signals], 1)
        number = torch.arange(1, len(one.signals) + 1)
        reached = (told * number).amax(1)
        columns.append(torch.cat([part.cummax(0).values for part in reached.split(list(lengths))]))
    return torch.stack(columns, 1).float()


def embedded(words: str, size: int) -> Tensor:
    """Words and pairs of them, hashed to a unit vector: texts that share words are alike. Shape (size,).

    The hashing trick (Weinberger et al. 2009, arXiv 0902.2206): nothing is learnt or downloaded, and every text has
    one. No words give zeros.
    """
    tokens = re.findall(r"[a-z0-9]+", words.lower())
    vector = torch.zeros(size)
    for token in (*tokens, *(f"{a} {b}" for a, b in pairwise(tokens))):
        digest = int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest(), "little")
        vector[(digest >> 1) % size] += 1.0 if digest & 1 else -1.0
    return torch.nn.functional.normalize(vector, dim=0)
