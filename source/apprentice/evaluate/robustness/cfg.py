"""What may be different for a policy than it was in its demos. Imports nothing heavy: the command line reads it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from apprentice.errors import UserError
from apprentice.sim.looks_cfg import LooksCfg

MISHAPS = ("drop", "knock", "miss")
"""What may go wrong during a rollout."""


@dataclass(kw_only=True, frozen=True)
class Condition:
    """One condition; what is left at its default is as in the task. Several changes may be made at once."""

    name: str
    """Name of its folder: letters, digits, "_", "-" and "."."""
    position_noise_m: float = 0.0
    """Standard deviation of the error with which positions of objects and hands are observed, along each axis (m)."""
    rotation_noise_rad: float = 0.0
    """The same for their orientations, about each axis (rad)."""
    constant_noise: bool = False
    """Whether these errors are drawn once for each rollout, as a bad calibration is, or at every control step."""
    delay_steps: int = 0
    """Control steps by which actions come late."""
    control_rate: float = 1.0
    """Factor on the task's control rate. The policy is not told."""
    mass: float = 1.0
    """Factor on the masses of all objects."""
    friction: float = 1.0
    """Factor on the friction of all surfaces but the shared ground (`sim.physics`)."""
    push_m_s: float = 0.0
    """Speed of a push, along the ground, that one object gets at a time drawn for each rollout (m/s)."""
    mishap: str | None = None
    """What goes wrong once in each rollout: "drop", "knock" or "miss"."""
    looks: LooksCfg | None = None
    """How far cameras, lights and colours differ. For policies that observe images."""
    variant: str | None = None
    """Another difficulty variant of the task."""
    backend: str | None = None
    """Another physics backend."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", self.name):
            raise UserError(f"Expected a condition's name of letters, digits, '_', '-' and '.', found '{self.name}'.")
        least = ("position_noise_m", "rotation_noise_rad", "delay_steps", "push_m_s")
        bad = [name for name in least if getattr(self, name) < 0]
        bad += [name for name in ("control_rate", "mass", "friction") if getattr(self, name) <= 0]
        if bad:
            raise UserError(f"Condition '{self.name}': expected a positive {bad[0]}, found {getattr(self, bad[0])}.")
        if self.mishap not in (None, *MISHAPS):
            raise UserError(
                f"Condition '{self.name}': expected a mishap of {', '.join(MISHAPS)}, found '{self.mishap}'."
            )

    @property
    def changes(self) -> dict[str, Any]:
        """What differs from the task, by field; empty for the nominal condition. JSON-able."""
        default = asdict(Condition(name=self.name))
        return {key: value for key, value in asdict(self).items() if value != default[key]}


NOMINAL = Condition(name="nominal")
"""The task as it is: what every other condition is compared with."""
