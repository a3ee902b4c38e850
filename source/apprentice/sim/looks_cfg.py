"""What may look different from demo to demo. Imports nothing heavy: the command line reads it at start."""

from __future__ import annotations

from dataclasses import dataclass

from apprentice.errors import UserError


@dataclass(kw_only=True, frozen=True)
class LooksCfg:
    """How far a demo's images may differ from what the scene looks like. 0 changes nothing."""

    colours: float = 0.0
    """Largest change of each surface's red, green and blue. 0 to 1."""
    lights: float = 0.0
    """Largest change of the lights: of their brightness as a share, of their direction in radians. 0 to 1."""
    camera_m: float = 0.0
    """Largest displacement of a camera along each of its axes (m)."""
    camera_rad: float = 0.0
    """Largest rotation of a camera about each of its axes (rad)."""
    seed: int = 0
    """Draws other looks for the same demos."""

    def __post_init__(self) -> None:
        for name, most in {"colours": 1.0, "lights": 1.0, "camera_m": 1.0, "camera_rad": 1.0}.items():
            if not 0 <= getattr(self, name) <= most:
                raise UserError(f"Expected {name} of looks from 0 to {most:g}, found {getattr(self, name)}.")
        if self.seed < 0:
            raise UserError(f"Expected a seed of looks of at least 0, found {self.seed}.")
