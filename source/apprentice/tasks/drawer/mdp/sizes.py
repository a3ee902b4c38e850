"""Names and sizes of cube, cabinet and drawer. The drawer opens against the x axis; its frame is the cabinet's when it
is closed, on the table in the middle of the cabinet."""

CUBE, CABINET, DRAWER = "cube", "cabinet", "drawer"

CUBE_M = 0.04
"""Edge of the cube."""
CABINET_M = (0.18, 0.18, 0.085)
"""Outside of the cabinet."""
BOARD_M = 0.01
"""Thickness of its boards and of the drawer's front."""
INSIDE_M = ((-0.08, 0.064), 0.138, 0.05)
"""Inside of the drawer: from where to where along x, its width, and the height of its walls."""
THIN_M = 0.006
"""Thickness of the drawer's floor and walls."""
FLOOR_M = 0.018
"""Height of the upper side of the drawer's floor above the table."""
TRAVEL_M = 0.12
"""How far the drawer opens."""
HANDLE_Z_M = 0.045
POST_M = (0.045, 0.016, 0.016)
"""Size of the handle's post. The fingers go beside it, behind a plate at its end."""
PLATE_M = (0.01, 0.045, 0.03)
HANDLE_AT_M = (-0.112, 0.0, HANDLE_Z_M)
"""Where the handle is held."""
PUT_AT_M = (-0.03, 0.0, 0.0)
"""Where in the drawer the cube is put: in front of the cabinet when it is open."""
