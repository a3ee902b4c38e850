"""Each hand takes its handle of a box, and they lift it together."""

from __future__ import annotations

from typing import Any

from isaaclab.envs.mimic_env_cfg import SubTaskConfig
from isaaclab.managers import ObservationGroupCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.robots.humanoid import SIDES
from apprentice.tasks.hands_cfg import Ranges, observed
from apprentice.tasks.hands_env import object_state
from apprentice.tasks.humanoid.env_cfg import HumanoidSceneCfg, HumanoidTaskCfg, TwoHandsPolicyCfg
from apprentice.tasks.humanoid.mdp import conditions
from apprentice.tasks.humanoid.mdp.places import HANDLE_M
from apprentice.tasks.mimic import subtask, together
from apprentice.tasks.tabletop.bodies import Part, firm, free

REST_M = 0.08
"""Height of the box's origin where it stands on the table."""
LIFTED_M = REST_M + 0.1
"""Height at which it counts as lifted."""
GRIPS_M: dict[str, dict[str, Any]] = {
    eef: {"beside_m": place[:2], "low_m": place[2] - 0.05, "high_m": place[2] + 0.05} for eef, place in HANDLE_M.items()
}
"""Where each hand holds it."""

VARIANTS: dict[str, dict[str, Ranges]] = {
    "d0": {"box": {"x": (0.42, 0.48), "y": (-0.04, 0.04), "yaw": (-0.15, 0.15)}},
    "d1": {"box": {"x": (0.41, 0.5), "y": (-0.06, 0.06), "yaw": (-0.25, 0.25)}},
    "d2": {"box": {"x": (0.4, 0.52), "y": (-0.08, 0.08), "yaw": (-0.35, 0.35)}},
}

_WOOD, _STEEL = (0.62, 0.45, 0.25), (0.25, 0.4, 0.65)
_WIDTH_M, _WALL_M, _HEIGHT_M = 0.2, 0.015, 0.09
_HANDLE_SIZE_M = (0.045, 0.045, 0.14)
_PARTS = (
    # a board from handle to handle, and on it the walls
    Part(
        at_m=(0.0, 0.0, 0.01 - REST_M), size_m=(0.08, 2 * HANDLE_M["left"][1] + _HANDLE_SIZE_M[1], 0.02), colour=_STEEL
    ),
    Part(at_m=(0.0, 0.0, 0.01 - REST_M), size_m=(_WIDTH_M, _WIDTH_M, 0.02), colour=_WOOD),
    *(
        Part(
            at_m=(sign * (_WIDTH_M - _WALL_M) / 2, 0.0, 0.02 + _HEIGHT_M / 2 - REST_M),
            size_m=(_WALL_M, _WIDTH_M, _HEIGHT_M),
            colour=_WOOD,
        )
        for sign in (1, -1)
    ),
    *(
        Part(
            at_m=(0.0, sign * (_WIDTH_M - _WALL_M) / 2, 0.02 + _HEIGHT_M / 2 - REST_M),
            size_m=(_WIDTH_M - 2 * _WALL_M, _WALL_M, _HEIGHT_M),
            colour=_WOOD,
        )
        for sign in (1, -1)
    ),
    *(
        Part(at_m=(place[0], place[1], 0.02 + _HANDLE_SIZE_M[2] / 2 - REST_M), size_m=_HANDLE_SIZE_M, colour=_STEEL)
        for place in HANDLE_M.values()
    ),
)


@configclass
class LiftBoxSceneCfg(HumanoidSceneCfg):
    """The robot and a box with two upright handles."""

    box = firm(free("box", _PARTS, mass_kg=0.5, at_m=(0.45, 0.0, REST_M)))


@configclass
class LiftBoxPolicyCfg(TwoHandsPolicyCfg):
    """What a policy sees."""

    box = observed(object_state, name="box")


@configclass
class LiftBoxSubtaskTermsCfg(ObservationGroupCfg):
    """Whether each subtask is done."""

    grasp_left = observed(conditions.held, eef="left", name="box", **GRIPS_M["left"])
    grasp_right = observed(conditions.held, eef="right", name="box", **GRIPS_M["right"])

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class LiftBoxObservationsCfg:
    """Groups of observations."""

    policy = LiftBoxPolicyCfg()
    subtask_terms = LiftBoxSubtaskTermsCfg()


@configclass
class LiftBoxTerminationsCfg:
    """When the task is done."""

    success = TerminationTermCfg(
        func=conditions.lifted_together, params={"grips": GRIPS_M, "name": "box", "height_m": LIFTED_M}
    )


@configclass
class LiftBoxEnvCfg(HumanoidTaskCfg):
    """Take the box by its handles and lift it, level."""

    scene: Any = LiftBoxSceneCfg(num_envs=1, env_spacing=3.0)
    observations: Any = LiftBoxObservationsCfg()
    terminations: Any = LiftBoxTerminationsCfg()

    def __post_init__(self):
        super().__post_init__()
        self.variant_ranges = VARIANTS
        self.subtask_configs = {eef: _subtasks(eef) for eef in SIDES}
        self.task_constraint_configs = [together(("left", 1), ("right", 1))]
        self.settle(self.task_id)


def _subtasks(eef: str) -> list[SubTaskConfig]:
    return [
        subtask("box", f"grasp_{eef}", "Grasp a handle of the box", noise=0.02, offsets=(3, 8)),
        # what pulls at the box pulls at both hands
        subtask("box", None, "Lift the box together", noise=0.003),
    ]
