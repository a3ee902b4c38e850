"""One thing that a task must do, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["resets", "actions", "repeats", "operator"]
"""Resets and their ranges; action maps, rest and reach; whether the same is the same again, and how fast; the scripted
operator's episodes, and the order of signals in them."""


@dataclass(kw_only=True, frozen=True)
class Check:
    """What was looked at and found."""

    status: Literal["ok", "problem", "note"]
    """Fine; to be mended before demos are recorded; or worth knowing."""
    what: str
    """What was looked at."""
    found: str
    """What was found."""
    advice: str = ""
    """What to do about it."""


@dataclass(kw_only=True, frozen=True)
class CheckTaskCfg:
    """How closely a task is looked at."""

    variant: str | None = None
    """Difficulty variant. Default: the task as it is."""
    backend: Literal["native", "newton", "ovphysx", "isaacsim"] = "native"
    """What steps the physics."""
    sides: tuple[Side, ...] = ("resets", "actions", "repeats", "operator")
    """What is looked at, besides its configuration."""
    episodes: int = 32
    """Episodes that the scripted operator plays. 0 = none."""
    num_envs: int = 16
    """Environments side by side; each is reset with a seed of its own."""
    seed: int = 0
    """Seed of the first reset and episode; the next ones count on."""
    threads: int = 1
    """Processor threads."""


def judged(what: str, found: str, fine: bool, advice: str) -> Check:
    """A check that is ok or a problem, with advice in the latter case."""
    return Check(status="ok" if fine else "problem", what=what, found=found, advice="" if fine else advice)
