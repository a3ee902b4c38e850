"""Sorting objects into bins."""

from .config import franka

__all__ = ["franka"]
