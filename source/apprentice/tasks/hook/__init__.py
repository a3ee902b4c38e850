"""Drawing a cube that lies too far away into a bay, with a hook."""

from .config import franka

__all__ = ["franka"]
