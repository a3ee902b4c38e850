"""Checkpoints that act: in many environments at once, or exported to run without torch."""
