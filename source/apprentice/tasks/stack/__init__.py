"""Cube stacking."""

from .config import franka

__all__ = ["franka"]
