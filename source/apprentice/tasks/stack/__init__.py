"""Cube stacking."""

from .config import franka, so101, ur5e

__all__ = ["franka", "so101", "ur5e"]
