"""For how long the grippers' commands have held: a feature that takes a memory of the steps before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from apprentice.learn.data.action_space import BinaryColumn
from apprentice.learn.data.features import FeatureCfg, commands
from apprentice.learn.data.frames import first_and_last


@dataclass(frozen=True)
class HeldCommands:
    """Counts the steps since each gripper command changed: in demos for all frames at once, in play step by step."""

    cfg: FeatureCfg
    """Which observation holds the commands, and up to how many steps are told."""
    switches: Sequence[BinaryColumn]
    """The two values of each command, B of them."""

    def in_demos(self, obs: Mapping[str, Tensor], lengths: Sequence[int], initial: Tensor) -> Tensor | None:
        """The `held` of `features` for the frames of demos.

        Args:
            obs: Observations by key. Shape (T, ...).
            lengths: Frames of each demo.
            initial: Stands for the commands before there was any action. Shape (B,).

        Returns:
            Shape (T, B); None if it is not told.
        """
        high = self._high(obs, initial)
        return None if high is None else held_before(high, lengths, self.cfg.held_steps)

    def in_play(
        self, obs: Mapping[str, Tensor], memory: Mapping[str, Tensor], fresh: Tensor, initial: Tensor
    ) -> dict[str, Tensor]:
        """The same for running environments, under "held", with "high" to be remembered beside it.

        Args:
            obs: Observations by key. Shape (N, ...).
            memory: What this method returned a step ago, among other things; {} if nothing yet.
            fresh: Whether each environment has just been reset. Shape (N, 1).
            initial: Stands for the commands before there was any action. Shape (B,).

        Returns:
            Shapes (N, B); {} if it is not told.
        """
        high = self._high(obs, initial)
        if high is None:
            return {}
        most = self.cfg.held_steps
        held = torch.full(high.shape, float(most), device=high.device)
        if memory:
            held = torch.where(fresh, held, held_after(high, memory["high"] > 0, memory["held"], most))
        return {"high": high.float(), "held": held}

    def _high(self, obs: Mapping[str, Tensor], initial: Tensor) -> Tensor | None:
        """Whether each gripper was told the higher of its two values last. Shape (N, B)."""
        told = commands(obs, self.cfg, initial) if self.cfg.held_steps else None
        if told is None:
            return None
        return told > torch.tensor([(one.low + one.high) / 2 for one in self.switches], device=told.device)


def held_before(high: Tensor, lengths: Sequence[int], most: int) -> Tensor:
    """Control steps since each gripper was told something else, at every frame of some demos.

    Args:
        high: Whether it was told the higher of its two values last. Shape (T, B).
        lengths: Frames of each demo.
        most: What is told of longer times, and before the first change.

    Returns:
        Shape (T, B).
    """
    first, now = first_and_last(lengths)[0][:, None], torch.arange(len(high))[:, None]
    changed = torch.zeros_like(high)
    changed[1:] = high[1:] != high[:-1]
    changed &= now > first
    latest = torch.where(changed, now, -1).cummax(0).values
    return torch.where(latest > first, now - latest, most).clamp_max(most).float()


def held_after(high: Tensor, before: Tensor, held: Tensor, most: int) -> Tensor:
    """The same from one step to the next.

    Args:
        high: Whether each gripper was told the higher of its two values last. Shape (N, B).
        before: The same a step ago.
        held: Control steps since it changed, a step ago.
        most: What is told of longer times.
    """
    return torch.where(high == before, (held + 1).clamp_max(most), torch.zeros_like(held))
