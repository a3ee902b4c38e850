"""Peg in a hole."""

from .config import franka

__all__ = ["franka"]
