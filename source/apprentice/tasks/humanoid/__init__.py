"""Tasks for humanoids with dexterous hands."""

from .config import g1

__all__ = ["g1"]
