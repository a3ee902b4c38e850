"""Hooking, by robot."""
