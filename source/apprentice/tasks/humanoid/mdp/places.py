"""Where the hands of a humanoid take things and bring them (m)."""

MEETING_M = (0.42, -0.02, 0.26)
"""Centre of the stick when it is handed over, in the environment's frame."""
ASIDE_M = (0.42, 0.18, 0.26)
"""Centre of the stick when the left hand has taken it away, in the environment's frame."""
HANDLE_M = {"left": (0.0, 0.19, 0.02), "right": (0.0, -0.19, 0.02)}
"""Where each hand takes the box, in the box's frame."""
