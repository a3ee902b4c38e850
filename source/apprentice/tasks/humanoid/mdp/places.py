"""Where the hands of a humanoid bring things, in the environment's frame (m)."""

MEETING_M = (0.42, -0.02, 0.26)
"""Centre of the stick when it is handed over."""
ASIDE_M = (0.42, 0.18, 0.26)
"""Centre of the stick when the left hand has taken it away."""
