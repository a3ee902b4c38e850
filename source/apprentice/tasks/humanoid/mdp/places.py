"""Where the hands of a humanoid take things and bring them (m)."""

WAITING_M = (0.33, 0.22, 0.33)
"""The left hand until it takes the stick, in the environment's frame: so high that it comes straight from there and
passes above the other hand."""
MEETING_M = (0.42, -0.02, 0.26)
"""Centre of the stick when it is handed over, in the environment's frame."""
ASIDE_M = (0.42, 0.18, 0.26)
"""Centre of the stick when the left hand has taken it away, in the environment's frame."""
HANDLE_M = {"left": (0.0, 0.19, 0.02), "right": (0.0, -0.19, 0.02)}
"""Where each hand takes the box, in the box's frame."""
