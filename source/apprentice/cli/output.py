"""What commands say when they are done."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Write one line to the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
