"""The scripted way through insertion tasks."""

from __future__ import annotations

from apprentice.tasks.oracle import Oracle, pick_and_insert
from apprentice.tasks.registry import TaskInfo

from .mdp.sizes import PEG, PEG_LENGTH_M, SOCKET, SOCKET_HEIGHT_M

GRASP_M = 0.02
"""Height of the grasp above the peg's centre: the fingers stay above the socket when the peg is in."""
ALIGNED_M = (PEG_LENGTH_M + SOCKET_HEIGHT_M) / 2 + 0.006
"""Height of the peg's centre above the socket's with its lower end just above the hole."""
WITHIN_M = 0.0015


def oracles(info: TaskInfo) -> tuple[Oracle, ...]:
    """Grasp the peg and insert it."""
    (eef,) = info.eef_names
    in_place_m = (PEG_LENGTH_M - SOCKET_HEIGHT_M) / 2
    stage = pick_and_insert(
        PEG,
        SOCKET,
        grasp_m=GRASP_M,
        above_m=ALIGNED_M,
        height_m=in_place_m,
        within_m=WITHIN_M,
        tip_m=(0.0, 0.0, -PEG_LENGTH_M / 2),
    )
    return (Oracle(eef=eef, stages=(stage,)),)
