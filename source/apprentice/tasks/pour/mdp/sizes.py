"""Names and sizes of pan, beads and bowl."""

PAN, BOWL = "pan", "bowl"

PAN_INSIDE_M = 0.056
PAN_WALL_M = 0.006
PAN_HEIGHT_M = 0.05
PAN_FLOOR_M = 0.006
HANDLE_M = (0.08, 0.02, 0.02)
"""The handle leaves the pan against its x axis, below the rim; the fingers go beside it."""
HANDLE_Z_M = 0.01
"""Height of the handle above the pan's centre."""
HELD_AT_M = (-(PAN_INSIDE_M / 2 + PAN_WALL_M + 0.045), 0.0, HANDLE_Z_M)
"""Where the pan is held, in its frame."""

BEAD_M = 0.014
"""Edge of a bead."""
BEADS: dict[str, tuple[float, float]] = {
    f"bead_{number + 1}": place
    for number, place in enumerate(((0.0, 0.0), (0.017, 0.017), (0.017, -0.017), (-0.017, 0.017), (-0.017, -0.017)))
}
"""Where in the pan the beads lie at first: x and y in its frame."""

BOWL_INSIDE_M = 0.13
BOWL_WALL_M = 0.008
BOWL_RIM_M = 0.05
"""Height of the bowl's walls."""
BOWL_FLOOR_M = 0.01
