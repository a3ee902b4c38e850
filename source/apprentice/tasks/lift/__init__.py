"""Lifting a cube."""

from .config import franka

__all__ = ["franka"]
