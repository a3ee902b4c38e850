"""What `render` can be told. Imports nothing heavy: the command line reads it at start."""

from __future__ import annotations

from dataclasses import dataclass, field

from apprentice.errors import UserError
from apprentice.sim.looks_cfg import LooksCfg


@dataclass(kw_only=True, frozen=True)
class RenderCfg:
    cameras: tuple[str, ...] = ("table", "wrist")
    """Cameras of the task to draw."""
    size: int = 84
    """Width and height of the images in pixels."""
    depth: bool = False
    """Also write how far away everything is (m), as obs/<camera>_depth."""
    looks: LooksCfg = field(default_factory=LooksCfg)
    """What looks different from demo to demo: drawn from the demo's seed."""
    task: str | None = None
    """Task id, if the file does not tell."""
    processes: int = 2
    """Processes that draw; more than one helps up to the number of processor cores."""

    def __post_init__(self) -> None:
        for name in ("size", "processes"):
            if getattr(self, name) < 1:
                raise UserError(f"Expected {name} to be at least 1, got {getattr(self, name)}.")
        if not self.cameras:
            raise UserError("Expected at least one camera, got none.")
