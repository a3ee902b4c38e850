"""An object into a drawer, by robot."""
