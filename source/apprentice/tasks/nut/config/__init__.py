"""A square nut over a peg, by robot."""
