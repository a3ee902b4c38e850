"""Apprentice's Isaac Lab tasks, and what it knows about everybody's.

Importing this package registers our tasks with Gymnasium and loads nothing else: it is the `isaaclab.tasks` entry
point.
"""

from . import bins, drawer, hang, hook, humanoid, insert, lift, nut, pick_place, pour, stack, two_arms

__all__ = [
    "bins",
    "drawer",
    "hang",
    "hook",
    "humanoid",
    "insert",
    "lift",
    "nut",
    "pick_place",
    "pour",
    "stack",
    "two_arms",
]
