"""Picking and placing, by robot."""
