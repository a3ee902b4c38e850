"""An object into a drawer."""

from .config import franka

__all__ = ["franka"]
