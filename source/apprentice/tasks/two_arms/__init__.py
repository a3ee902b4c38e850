"""Tasks for two arms."""

from .config import franka

__all__ = ["franka"]
