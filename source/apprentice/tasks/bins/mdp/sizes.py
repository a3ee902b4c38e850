"""Names and sizes of what is sorted, and of the bins."""

BINS = "bins"
"""One body with a bin for each object, side by side along its x axis."""

WIDTHS_M = {"cube": 0.04, "hexagon": 0.036, "bar": 0.03}
"""What is sorted, in the order of the bins and of the task, and how wide it is where it is held."""
HEIGHTS_M = {"cube": 0.04, "hexagon": 0.05, "bar": 0.036}
BAR_LENGTH_M = 0.064

BIN_M = (0.08, 0.11)
"""Inside of a bin along x and y. The fingers open along y."""
WALL_M = 0.008
"""Thickness of the walls."""
RIM_M = 0.025
"""Height of the walls."""
FLOOR_M = 0.004
"""Thickness of the floor."""


def bin_x_m(name: str) -> float:
    """Where the middle of an object's bin is, along the x axis of the bins."""
    return (list(WIDTHS_M).index(name) - (len(WIDTHS_M) - 1) / 2) * (BIN_M[0] + WALL_M)


def rest_m(name: str) -> float:
    """Height of an object's centre above the origin of the bins, when it stands in its bin."""
    return FLOOR_M + HEIGHTS_M[name] / 2
