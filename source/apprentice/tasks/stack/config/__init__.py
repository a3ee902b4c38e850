"""Cube stacking, by robot."""
