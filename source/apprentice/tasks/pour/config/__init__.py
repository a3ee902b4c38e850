"""Pouring, by robot."""
