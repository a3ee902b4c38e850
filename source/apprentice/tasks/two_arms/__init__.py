"""Tasks for two arms."""

from .config import franka, psm

__all__ = ["franka", "psm"]
