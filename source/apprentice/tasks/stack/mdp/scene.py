"""What stands in the scene of the stacking tasks."""

CUBES = ("cube_1", "cube_2", "cube_3")
"""Bottom, middle and top of the tower."""
