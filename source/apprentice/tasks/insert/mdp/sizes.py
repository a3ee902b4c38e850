"""Names and sizes of peg and socket."""

PEG, SOCKET = "peg", "socket"
OBJECTS = (PEG, SOCKET)

PEG_WIDTH_M = 0.02
PEG_LENGTH_M = 0.08
CLEARANCE_M = 0.002
"""The hole is this much wider than the peg, both sides together."""
SOCKET_HEIGHT_M = 0.04
WALL_M = 0.02
"""Thickness of the socket's walls."""
