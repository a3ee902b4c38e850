"""Names and sizes of nut and peg."""

NUT, PEG = "nut", "peg"

PEG_WIDTH_M = 0.024
PEG_TOP_M = 0.07
"""Height of the peg's upper end above the table."""
PLATE_M = (0.08, 0.08, 0.01)
"""Size of the plate that the peg stands on."""
CLEARANCE_M = 0.004
"""The hole is this much wider than the peg, both sides together."""
WALL_M = 0.01
"""Thickness of the nut's ring."""
NUT_HEIGHT_M = 0.03
HANDLE_M = (0.05, 0.02)
"""Length and width of the nut's handle. It leaves the ring along the nut's x axis; the fingers go beside it."""
OUTSIDE_M = PEG_WIDTH_M + CLEARANCE_M + 2 * WALL_M
"""Edge of the ring."""
HELD_AT_M = (OUTSIDE_M / 2 + 0.03, 0.0, 0.0)
"""Where the nut is held, in its frame."""
IN_PLACE_M = PLATE_M[2] + NUT_HEIGHT_M / 2
"""Height of the nut's centre above the table when it lies on the plate."""
