"""Lifting a cube, by robot."""
