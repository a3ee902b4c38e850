"""Names and sizes of hook, cube and bay."""

HOOK, CUBE, BAY = "hook", "cube", "bay"

CUBE_M = 0.045
"""Edge of the cube: however it is turned, it fits between the hook's shaft and its tip."""

TALL_M = 0.036
"""Height of the hook's handle and blade; its origin is the middle of the handle, from which it extends along x."""
HANDLE_M = (0.12, 0.026)
"""Length and width of the handle."""
POMMEL_M = 0.05
"""Edge of the weight behind the handle, which lets the hook nearly balance where it is held."""
SHAFT_M = (0.014, 0.014)
"""Width and height of the shaft."""
BLADE_M = 0.01
"""Thickness of the blade across the shaft's end, and of the tip that leads back from it."""
INSIDE_M = (0.08, 0.084)
"""Room inside the hook, along x and y. The tip covers half of the former."""
REACH_M = 0.23
SIDE_M = (SHAFT_M[0] + INSIDE_M[1]) / 2
"""Middle of that room, in the hook's frame: so far along x and y."""

BAY_M = 0.15
"""Edge of the bay: rails on three sides; it is open along its x axis, away from the robot."""
RAIL_M = (0.01, 0.005)
"""Width and height of a rail."""

CARRIED_M = TALL_M / 2 + 0.013
"""Height of the hook's origin above the table while it draws: above the rails, and well below the cube's top."""
