"""Peg insertion, by robot."""
