"""Tasks for humanoids with dexterous hands."""

from .config import g1, gr1t2

__all__ = ["g1", "gr1t2"]
