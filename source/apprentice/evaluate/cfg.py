"""What an evaluation is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from apprentice.errors import UserError


@dataclass(kw_only=True, frozen=True)
class EvaluateCfg:
    rollouts: int = 100
    """Rollouts to play. 100 give an interval of about +-5 points at 95 % success."""
    seed: int = 1_000_000
    """Rollout i starts from the initial state of seed + i. Far from the seeds of recording and augmentation, so that
    no policy is tested on states it was trained on."""
    held_steps: int = 10
    """Control steps in a row for which success must hold."""
    horizon: int = 600
    """Control steps after which a rollout has failed."""
    clear_of: float | None = None
    """Stop as soon as it is clear, at 95 %, whether the success rate is above or below this (0 to 1). However often one
    looks, the answer is wrong at most 5 times in 100. None plays all rollouts."""
    videos: int = 3
    """Successes, and failures, whose states are kept to be drawn."""

    def __post_init__(self) -> None:
        for name, least in {"rollouts": 1, "seed": 0, "held_steps": 1, "horizon": 1, "videos": 0}.items():
            if getattr(self, name) < least:
                raise UserError(f"Expected {name} to be at least {least}, got {getattr(self, name)}.")
        if self.clear_of is not None and not 0 < self.clear_of < 1:
            raise UserError(f"Expected clear_of between 0 and 1, got {self.clear_of}.")
