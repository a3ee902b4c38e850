"""Pouring what is in a pan into a bowl."""

from .config import franka

__all__ = ["franka"]
