"""Which arm a device without arms of its own drives, and how the grippers stand that it toggles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Arms:
    """The arms that one device can drive, one at a time."""

    def __init__(self, eefs: Sequence[str], grips: dict[str, float] | None = None) -> None:
        """Args:
        eefs: End effectors, the one to begin with first.
        grips: How the grippers are, for several devices that toggle the same ones; None for a device of its own.
        """
        if not eefs:
            raise ValueError("Expected at least one end effector, got none.")
        self.eefs = tuple(eefs)
        self._place = 0
        self.grips = dict.fromkeys(self.eefs, 0.0) if grips is None else grips
        """By end effector, 0 open to 1 closed."""

    @property
    def driven(self) -> str:
        """The end effector that is driven now."""
        return self.eefs[self._place]

    def next(self, places: int = 1) -> None:
        """Drive another arm."""
        self._place = (self._place + places) % len(self.eefs)

    def toggle(self) -> None:
        """Open the gripper of the driven arm if it is closed, and close it otherwise."""
        self.grips[self.driven] = 0.0 if self.grips[self.driven] > 0.5 else 1.0

    def sync(self, grips: Mapping[str, float]) -> None:
        """Take over how the grippers are."""
        self.grips |= {name: float(grips[name] > 0.5) for name in self.eefs if name in grips}

    @property
    def detail(self) -> str:
        """Which arm is driven, where there is a choice."""
        return f"drives {self.driven}" if len(self.eefs) > 1 else ""
