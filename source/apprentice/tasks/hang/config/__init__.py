"""Hanging, by robot."""
