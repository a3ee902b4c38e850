"""What `record`, `annotate` and `replay` can be told. Imports nothing heavy: the command line reads it at start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from apprentice.errors import UserError

Backend = Literal["native", "newton", "ovphysx", "isaacsim"]


@dataclass(kw_only=True, frozen=True)
class RecordCfg:
    device: tuple[str, ...] = ("keyboard",)
    """What the operator drives with, one or more: keyboard, gamepad and xr through the page that opens; spacemouse, or
    spacemouse:PATH, or spacemouse@remote for one that `apprentice forward` sends; each with EEF= before it to drive one
    arm of several. isaacteleop is xr through the task's own Isaac Teleop pipeline. replay:FILE.mcap drives again as the
    log of an earlier session, or a recording of Isaac Teleop, says. scripted is a noisy stand-in for a person, labelled
    as such in the demos."""
    demos: int = 10
    """Demos that the file holds in the end; those that it has already count."""
    variant: str | None = None
    """Difficulty variant of the task, for tasks that have them."""
    seed: int = 0
    """Seed of the first episode; the next ones count on."""
    max_steps: int | None = None
    """Control steps after which an episode is discarded; by default the task's episode length, at least 600, and 6,000
    for people."""
    held_steps: int = 10
    """Control steps in a row for which success must hold; then the episode is saved."""
    keep_failed: bool = False
    """Whether discarded episodes are kept, in the group "failed" of the same file."""
    max_discarded: int = 100
    """Episodes discarded in one run before giving up."""
    num_envs: int = 12
    """Most environments that a scripted operator drives side by side."""
    countdown_s: float = 1.5
    """For people: time from their start to the first recorded step."""
    host: str = "127.0.0.1"
    """For people: address that the page is served at. Anything but this machine's own is served by HTTPS only."""
    port: int = 8765
    """For people: port of the page; 0 takes a free one."""
    view: bool = True
    """For people: whether to show the scene in 3D and through the task's cameras, by a second process."""
    bindings: Path | None = None
    """For people: YAML file of keys, such as config/teleop/keyboard.yaml."""
    backend: Backend = "native"
    """What steps the physics."""
    threads: int = 1
    """Processor threads."""

    def __post_init__(self) -> None:
        if not self.device:
            raise UserError("Expected a device such as keyboard or scripted, found none.")
        if (self.scripted or self.replayed) and len(self.device) > 1:
            raise UserError(f"Expected {self.device[0]} alone, found other devices beside it: name one kind.")
        positive = ("demos", "longest", "held_steps", "max_discarded", "num_envs", "threads")
        _require_at_least(self, dict.fromkeys(positive, 1) | {"seed": 0, "countdown_s": 0, "port": 0})

    @property
    def scripted(self) -> bool:
        """Whether nobody drives."""
        return "scripted" in self.device

    @property
    def replayed(self) -> Path | None:
        """The log that drives, if one does."""
        words = [word.removeprefix("replay:") for word in self.device if word.startswith("replay:")]
        return Path(words[0]) if words else None

    @property
    def longest(self) -> int:
        """Control steps after which an episode is discarded; a scripted operator has a long task's episode length."""
        return self.max_steps if self.max_steps is not None else 600 if self.scripted else 6000


@dataclass(kw_only=True, frozen=True)
class AnnotateCfg:
    output: Path | None = None
    """Write a new file instead of changing this one."""
    task: str | None = None
    """Task id, if the file does not tell."""
    by: Literal["auto", "states", "actions"] = "auto"
    """What is played back: the recorded states, or the actions from the initial state. "auto" takes states where every
    demo has them."""
    steps: Path | None = None
    """JSON file with steps marked by hand, {"demo_0": {"grasp_1": 80, ...}, ...}; these signals come from there."""
    num_envs: int = 16
    """Most demos played back side by side."""
    backend: Backend = "native"
    """What steps the physics."""
    threads: int = 1
    """Processor threads."""

    def __post_init__(self) -> None:
        _require_at_least(self, {"num_envs": 1, "threads": 1})


@dataclass(kw_only=True, frozen=True)
class ReplayCfg:
    task: str | None = None
    """Task id, if the file does not tell."""
    variant: str | None = None
    """Difficulty variant, if the demos do not tell. It does not change what a replay does, as their initial states are
    written down."""
    held_steps: int = 10
    """Control steps in a row for which success must hold. Up to as many are added, holding still, if need be."""
    tolerance_m: float = 0.01
    """Distance of an object from where it was recorded at which a replay counts as diverged, where the recording is not
    one of this backend and versions."""
    certify: bool = True
    """Whether to write a certificate into the demos of files that Apprentice recorded."""
    num_envs: int = 16
    """Most demos played back side by side."""
    backend: Backend = "native"
    """What steps the physics."""
    threads: int = 1
    """Processor threads."""

    def __post_init__(self) -> None:
        _require_at_least(self, {"held_steps": 1, "tolerance_m": 0, "num_envs": 1, "threads": 1})


def _require_at_least(cfg: object, least: dict[str, int]) -> None:
    for name, value in least.items():
        if getattr(cfg, name) < value:
            raise UserError(f"Expected {name} to be at least {value}, got {getattr(cfg, name)}.")
