"""Cube stacking."""

from .config import franka, ur5e

__all__ = ["franka", "ur5e"]
