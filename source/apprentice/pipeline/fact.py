"""What a diagnosis consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(kw_only=True, frozen=True)
class Fact:
    """One line of the diagnosis."""

    status: Literal["ok", "missing", "optional"]
    """ok, needed but missing, or missing but not needed by the main loop."""
    what: str
    """What was looked for."""
    found: str
    """What is there."""
    advice: str = ""
    """What to do about it."""
    file: str = ""
    """Text that the advice says to put into a file."""
