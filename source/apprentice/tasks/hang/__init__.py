"""Hanging a mug by its handle on the peg of a stand."""

from .config import franka

__all__ = ["franka"]
