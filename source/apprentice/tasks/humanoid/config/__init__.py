"""Humanoid tasks, by robot."""
