"""Two-arm tasks, by robot."""
