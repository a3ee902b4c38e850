"""Names, sizes and places of the two-arm tasks with a lid and with a ring: what configurations, conditions and the
scripted operator have to agree on."""

from __future__ import annotations

LID, BOX, CUBE = "lid", "box", "cube"

BOX_M = (0.16, 0.16, 0.06)
"""Outer size of the box."""
WALL_M = 0.01
"""Thickness of its walls and of its floor."""
CUBE_M = 0.04
PLATE_M = (0.18, 0.18, 0.01)
"""Size of the lid's plate, which lies on the walls."""
KNOB_M = (0.06, 0.04, 0.04)
"""Size of the knob in its middle, which is the lid's origin."""
LID_ON_BOX_M = BOX_M[2] / 2 + PLATE_M[2] + KNOB_M[2] / 2
"""Height of the lid's origin above the box's, its centre, when it is closed."""
ASIDE_M = (0.48, 0.33, 0.22)
"""Where the lid is held while the box is filled, in the environment's frame."""

RING, NEEDLE = "ring", "needle"

SHAFT_M = (0.2, 0.02, 0.02)
"""Size of the needle's shaft. The needle's origin is the middle of its tip, from which it extends along -x."""
GRIP_M = (0.14, 0.04, 0.03)
"""Size of its handle, behind the shaft: so heavy that the needle balances where it is held."""
HOLE_M = (0.03, 0.03)
"""Width and height of the ring's hole: 5 mm of air on every side of the shaft."""
RING_DEPTH_M = 0.02
"""How long the hole is."""
RING_WALL_M = 0.015
HANDLE_M = (0.03, 0.04, 0.06)
"""Size of the handle on top of the ring; its middle is the ring's origin."""
HOLE_AT_M = -(HANDLE_M[2] / 2 + RING_WALL_M + HOLE_M[1] / 2)
"""Height of the hole's middle above the ring's origin. The hole leads along x."""
FOOT_M = (0.08, 0.09, 0.012)
"""Size of the plate on which the ring stands."""
RING_STANDS_M = -(HOLE_AT_M - HOLE_M[1] / 2 - RING_WALL_M) + FOOT_M[2]
"""Height of the ring's origin above the table when it stands there."""
HELD_UP_M = (0.5, 0.14, 0.3)
"""Where the ring is held up: its origin, in the environment's frame."""
