"""Names and sizes of mug and stand."""

MUG, STAND = "mug", "stand"

MUG_M = (0.056, 0.056, 0.08)
"""The mug without its handle, around its origin. It is solid but for a hollow below the rim: fingers hold it below."""
HOLLOW_M = 0.006
"""Depth of the hollow: so shallow that no finger can carry the mug by its rim."""
RIM_M = 0.008
"""Thickness of the walls around it."""
OPENING_M = (0.038, 0.042)
"""Length and height of the handle's opening, which leads through along the mug's y axis."""
BAR_M = (0.014, 0.012)
"""Width of the handle, along y, and thickness of its bars."""
OPENING_X_M = (MUG_M[0] + OPENING_M[0]) / 2
"""Middle of the opening, along the mug's x axis."""
HELD_AT_M = (0.0, 0.0, 0.006)
"""Where the mug is held, in its frame."""

POST_M = 0.02
"""Edge of the post, on whose foot the stand's origin is."""
PEG_M = (0.1, 0.022, 0.014)
"""Length, width and height of the peg, which leads from the post against the stand's y axis. So wide that a swinging
handle rocks from edge to edge, and comes to rest."""
PEG_Z_M = 0.2
"""Height of its middle: the mug swings free below it."""
LIP_M = (0.008, 0.008)
"""Length and height of the lip on its end, which keeps mugs from sliding off."""
PLATE_M = (0.14, 0.16, 0.012)
"""Size of the plate on which the post stands."""
HANGS_Y_M = -(POST_M / 2 + 0.05)
"""Where along the stand's y axis the handle hangs."""
