"""Sorting objects into bins, by robot."""
