"""Apprentice-PegTransfer-TwoPSMs: the left instrument takes a ring off a peg and hands it in the air to the right one,
which puts it over another peg."""

from __future__ import annotations

from typing import Any

from isaaclab.managers import EventTermCfg, ObservationGroupCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.hands_cfg import Ranges, observed
from apprentice.tasks.hands_env import object_state
from apprentice.tasks.mimic import in_order, subtask
from apprentice.tasks.tabletop.bodies import TABLE_GAP_M, Part, firm, fixed, free, square_ring
from apprentice.tasks.tabletop.mdp.events import fill
from apprentice.tasks.two_arms.config.psm import PEG_TRANSFER_TASK_ID
from apprentice.tasks.two_arms.env_cfg import STILL, TwoArmsPolicyCfg
from apprentice.tasks.two_arms.mdp import conditions, peg_transfer
from apprentice.tasks.two_arms.mdp.peg_transfer import (
    FROM,
    HOLE_M,
    LIES_M,
    ONTO,
    PEG_M,
    PEG_TOP_M,
    PLATE_M,
    RING,
    WALL_M,
    holds,
)

from .env_cfg import TwoPSMsSceneCfg, TwoPSMsTaskCfg

RUBBER, GREY, STEEL = (0.85, 0.25, 0.2), (0.35, 0.4, 0.45), (0.75, 0.75, 0.8)


def _ranges(x: tuple[float, float], y: tuple[float, float], yaw: float) -> dict[str, Ranges]:
    low, high = y
    turn = (-yaw, yaw)
    return {FROM: {"x": x, "y": (low, high), "yaw": turn}, ONTO: {"x": x, "y": (-high, -low), "yaw": turn}}


VARIANTS: dict[str, dict[str, Ranges]] = {
    "d0": _ranges((0.46, 0.54), (0.16, 0.22), 0.15),
    "d1": _ranges((0.44, 0.56), (0.14, 0.24), 0.3),
    "d2": _ranges((0.42, 0.58), (0.12, 0.26), 0.45),
}


def _peg() -> tuple[Part, ...]:
    """A peg on its plate, above the body's origin."""
    return (
        Part(at_m=(0.0, 0.0, PLATE_M[2] / 2), size_m=PLATE_M, colour=GREY),
        Part(at_m=(0.0, 0.0, PEG_TOP_M / 2), size_m=(PEG_M, PEG_M, PEG_TOP_M), colour=STEEL),
    )


@configclass
class PegTransferSceneCfg(TwoPSMsSceneCfg):
    """Two instruments, a ring and two pegs."""

    first_peg = fixed(FROM, _peg(), at_m=(0.5, 0.19, TABLE_GAP_M))
    second_peg = fixed(ONTO, _peg(), at_m=(0.5, -0.19, TABLE_GAP_M))
    ring = firm(free(RING, square_ring(HOLE_M, WALL_M, WALL_M, RUBBER), mass_kg=0.03, at_m=(0.5, 0.19, LIES_M)))


@configclass
class PegTransferPolicyCfg(TwoArmsPolicyCfg):
    """What a policy sees."""

    ring = observed(object_state, name=RING)
    first_peg = observed(object_state, name=FROM)
    second_peg = observed(object_state, name=ONTO)


@configclass
class PegTransferSubtaskTermsCfg(ObservationGroupCfg):
    """Whether each subtask is done."""

    grasp_left = observed(conditions.grasped, **holds("left"))
    presented = observed(peg_transfer.presented)
    grasp_right = observed(conditions.grasped, **holds("right"))
    released_left = observed(peg_transfer.handed_over)

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class PegTransferObservationsCfg:
    """Groups of observations."""

    policy = PegTransferPolicyCfg()
    subtask_terms = PegTransferSubtaskTermsCfg()


@configclass
class PegTransferTerminationsCfg:
    """When the task is done."""

    success = TerminationTermCfg(func=peg_transfer.around_second_peg)


@configclass
class PegTransferEnvCfg(TwoPSMsTaskCfg):
    """Hand a ring from one instrument to the other, from peg to peg."""

    scene: Any = PegTransferSceneCfg(num_envs=1, env_spacing=2.5)
    observations: Any = PegTransferObservationsCfg()
    terminations: Any = PegTransferTerminationsCfg()

    def __post_init__(self):
        super().__post_init__()
        self.variant_ranges = VARIANTS
        self.object_symmetry = {FROM: 4, ONTO: 4}
        self.subtask_configs = {
            "left": [
                subtask(RING, "grasp_left", "Grasp the ring", noise=0.005, offsets=(3, 8)),
                subtask(None, "presented", "Hold it out to the other instrument", noise=0.01, offsets=STILL),
                subtask(RING, "grasp_right", "Hold it for the other instrument", noise=0.001),
                subtask(RING, "released_left", "Let go", noise=0.001),
                subtask(None, None, "Get out of the way", noise=0.01),
            ],
            "right": [
                subtask(None, "presented", "Wait for the ring", noise=0.005, offsets=STILL),
                subtask(RING, "grasp_right", "Take the ring", noise=0.003, offsets=(3, 8)),
                subtask(ONTO, None, "Put it over the peg", noise=0.005),
            ],
        }
        self.task_constraint_configs = [
            # who waits has a subtask for that, as in the other handover
            in_order(("left", 1), ("right", 0), steps_left=1),
            in_order(("right", 1), ("left", 2), steps_left=1),
            in_order(("left", 3), ("right", 2)),
        ]
        self.settle(PEG_TRANSFER_TASK_ID)
        # after the pegs have their places
        lies = {"into": FROM, "places_m": {RING: (0.0, 0.0, LIES_M)}}
        self.events.put_ring_on = EventTermCfg(func=fill, mode="reset", params=lies)
