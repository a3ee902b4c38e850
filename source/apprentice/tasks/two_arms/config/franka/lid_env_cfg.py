"""Apprentice-Lid-TwoFrankas: the left arm lifts the lid off a box and holds it aside, the right puts a cube into the
box."""

from __future__ import annotations

import math
from typing import Any

from isaaclab.envs import ManagerBasedEnv
from isaaclab.managers import EventTermCfg, ObservationGroupCfg, TerminationTermCfg
from isaaclab.utils import configclass
from torch import Tensor

from apprentice.tasks.hands_cfg import Ranges, observed
from apprentice.tasks.hands_env import object_state
from apprentice.tasks.mimic import in_order, subtask
from apprentice.tasks.tabletop.bodies import Part, cuboid, free
from apprentice.tasks.tabletop.mdp.conditions import calm
from apprentice.tasks.tabletop.mdp.events import fill
from apprentice.tasks.two_arms.config.franka import LID_TASK_ID
from apprentice.tasks.two_arms.env_cfg import ACROSS_RAD, TwoArmsPolicyCfg, TwoArmsSceneCfg, TwoArmsTaskCfg
from apprentice.tasks.two_arms.mdp import conditions
from apprentice.tasks.two_arms.mdp.sizes import BOX, BOX_M, CUBE, CUBE_M, KNOB_M, LID, LID_ON_BOX_M, PLATE_M, WALL_M

WOOD, DARK, RED = (0.7, 0.5, 0.3), (0.35, 0.25, 0.2), (0.8, 0.2, 0.2)
ON_KNOB_M = (-KNOB_M[0] / 2, KNOB_M[0] / 2)
"""Where along the lid's x axis its knob is held."""
APART_M = 0.2
"""Horizontal distance from the box from which its lid is off: both are less wide than this."""
LIFTED_M = BOX_M[2] / 2 + LID_ON_BOX_M + 0.03
"""Height of the lid's origin at which it no longer touches the box."""
INSIDE_M = BOX_M[0] / 2 - WALL_M
"""Half the width of the box, inside."""


def _ranges(box_x: tuple[float, float], box_y: tuple[float, float], box_yaw: float, cube: Ranges) -> dict[str, Ranges]:
    return {BOX: {"x": box_x, "y": box_y, "yaw": (ACROSS_RAD - box_yaw, ACROSS_RAD + box_yaw)}, CUBE: cube}


QUARTER = (-math.pi / 4, math.pi / 4)
VARIANTS: dict[str, dict[str, Ranges]] = {
    "d0": _ranges((0.46, 0.54), (-0.02, 0.04), 0.15, {"x": (0.44, 0.56), "y": (-0.34, -0.26), "yaw": QUARTER}),
    "d1": _ranges((0.44, 0.56), (-0.04, 0.06), 0.3, {"x": (0.42, 0.58), "y": (-0.38, -0.24), "yaw": QUARTER}),
    "d2": _ranges((0.42, 0.58), (-0.05, 0.08), 0.5, {"x": (0.4, 0.6), "y": (-0.42, -0.23), "yaw": QUARTER}),
}


def _box_parts() -> tuple[Part, ...]:
    """A box that is open on top, around its centre."""
    length, width, height = BOX_M
    aside, ahead = (length - WALL_M) / 2, (width - WALL_M) / 2
    floor = Part(at_m=(0.0, 0.0, (WALL_M - height) / 2), size_m=(length, width, WALL_M), colour=WOOD)
    ends = [Part(at_m=(x, 0.0, 0.0), size_m=(WALL_M, width, height), colour=WOOD) for x in (-aside, aside)]
    sides = [
        Part(at_m=(0.0, y, 0.0), size_m=(length - 2 * WALL_M, WALL_M, height), colour=WOOD) for y in (-ahead, ahead)
    ]
    return (floor, *ends, *sides)


LID_PARTS = (
    Part(size_m=KNOB_M, colour=DARK),
    Part(at_m=(0.0, 0.0, -(KNOB_M[2] + PLATE_M[2]) / 2), size_m=PLATE_M, colour=DARK),
)


@configclass
class LidSceneCfg(TwoArmsSceneCfg):
    """Two arms, a box with a lid on it, and a cube."""

    box = free(BOX, _box_parts(), mass_kg=2.0, at_m=(0.5, 0.0, BOX_M[2] / 2))
    lid = free(LID, LID_PARTS, mass_kg=0.1, at_m=(0.5, 0.0, BOX_M[2] / 2 + LID_ON_BOX_M))
    cube = free(CUBE, cuboid((CUBE_M, CUBE_M, CUBE_M), RED), mass_kg=0.05, at_m=(0.5, -0.3, CUBE_M / 2))


@configclass
class LidPolicyCfg(TwoArmsPolicyCfg):
    """What a policy sees."""

    box = observed(object_state, name=BOX)
    lid = observed(object_state, name=LID)
    cube = observed(object_state, name=CUBE)


KNOB = {"eef": "left", "name": LID, "along_m": ON_KNOB_M}
"""How the lid is held."""
OFF = {**KNOB, "off": BOX, "apart_m": APART_M}
"""How it is held aside."""


@configclass
class LidSubtaskTermsCfg(ObservationGroupCfg):
    """Whether each subtask is done."""

    lid_lifted = observed(conditions.lifted, **KNOB, above_m=LIFTED_M)
    lid_off = observed(conditions.away, **OFF)
    grasp_cube = observed(conditions.held, eef="right", name=CUBE, along_m=(-CUBE_M / 2, CUBE_M / 2))

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class LidObservationsCfg:
    """Groups of observations."""

    policy = LidPolicyCfg()
    subtask_terms = LidSubtaskTermsCfg()


def filled(env: ManagerBasedEnv) -> Tensor:
    """Whether the cube lies in the box, its lid held aside, calmly. Shape (N,)."""
    above_floor = WALL_M + CUBE_M / 2 - BOX_M[2] / 2
    within = (above_floor - 0.01, above_floor + 0.01)
    done = conditions.put_in(env, "right", CUBE, BOX, INSIDE_M, within) & conditions.away(env, **OFF)
    return done & calm(env, (LID,))


@configclass
class LidTerminationsCfg:
    """When the task is done."""

    success = TerminationTermCfg(func=filled)


@configclass
class LidEnvCfg(TwoArmsTaskCfg):
    """Hold the lid of a box aside, and put a cube into the box."""

    scene: Any = LidSceneCfg(num_envs=1, env_spacing=2.5)
    observations: Any = LidObservationsCfg()
    terminations: Any = LidTerminationsCfg()

    def __post_init__(self):
        super().__post_init__()
        self.variant_ranges = VARIANTS
        self.object_symmetry = {CUBE: 4}
        self.subtask_configs = {
            "left": [
                subtask(LID, "lid_lifted", "Lift the lid by its knob", noise=0.01, offsets=(3, 8)),
                # ends while the lid still moves: a policy that saw both hands at rest would not know when to go on
                subtask(None, "lid_off", "Carry it aside", noise=0.01),
                subtask(None, None, "Hold it there", noise=0.005),
            ],
            "right": [
                subtask(CUBE, "grasp_cube", "Grasp the cube", noise=0.02, offsets=(3, 8)),
                subtask(BOX, None, "Put it into the box", noise=0.01),
            ],
        }
        self.task_constraint_configs = [in_order(("left", 1), ("right", 1))]
        self.settle(LID_TASK_ID)
        # after the box has its place
        closed = {"into": BOX, "places_m": {LID: (0.0, 0.0, LID_ON_BOX_M)}}
        self.events.put_lid_on = EventTermCfg(func=fill, mode="reset", params=closed)
