"""What the loop of episodes meets: those who watch it, what may replace its retargeting, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch

from apprentice.demos import Tree
from apprentice.record.slot import Slot
from apprentice.teleop.frame import TeleopFrame

if TYPE_CHECKING:
    from apprentice.record.loop import EpisodeLoop


@dataclass(kw_only=True, frozen=True)
class Ended:
    """An episode that is over."""

    seed: int
    """Its seed."""
    saved: bool
    """Whether it is to be imitated."""
    success: bool
    """Whether success held to its end."""
    tree: Tree
    """What was recorded, by path, "actions" among it; empty if nothing was."""
    pace: dict[str, float] = field(default_factory=dict[str, float])
    """Achieved rate and jitter, empty where nobody drove in real time."""


class Watcher(Protocol):
    """Sees what the loop does. Its methods return at once; the loop waits for nobody."""

    def on_frame(self, slot: Slot, frame: TeleopFrame | None, now_s: float, lost: str) -> None:
        """An operator was asked, and gave `frame`; `lost` says why it does not drive, if so."""
        ...

    def on_tick(self, loop: EpisodeLoop) -> None:
        """All environments have made their step."""
        ...

    def on_undo(self) -> None:
        """An operator wants the demo that was saved last taken back."""
        ...


class Pipeline(Protocol):
    """Turns frames into actions in its own way, in place of our retargeting: `teleop.isaacteleop` has one."""

    def reset(self, grips: Mapping[str, float] | None = None) -> None:
        """Begin, or go on with the grippers as they are."""
        ...

    def actions(self, frames: Sequence[TeleopFrame | None]) -> torch.Tensor | None:
        """What the operators want, shape (N, A); None to stand still."""
        ...
