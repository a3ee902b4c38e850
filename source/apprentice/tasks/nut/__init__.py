"""A square nut over a peg."""

from .config import franka

__all__ = ["franka"]
