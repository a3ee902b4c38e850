"""Picking a cube up and putting it down somewhere else."""

from .config import so101

__all__ = ["so101"]
