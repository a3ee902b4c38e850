"""Apprentice-LiftTray-TwoFrankas: each arm takes its end of a narrow tray, and they lift it together."""

from __future__ import annotations

from typing import Any

from isaaclab.envs.mimic_env_cfg import SubTaskConfig
from isaaclab.managers import ObservationGroupCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.hands_cfg import Ranges, box, observed
from apprentice.tasks.hands_env import object_state
from apprentice.tasks.mimic import subtask, together
from apprentice.tasks.tabletop.bodies import firm
from apprentice.tasks.two_arms.config.franka import LIFT_TASK_ID
from apprentice.tasks.two_arms.env_cfg import ACROSS_RAD, TwoArmsPolicyCfg, TwoArmsSceneCfg, TwoArmsTaskCfg
from apprentice.tasks.two_arms.mdp import conditions
from apprentice.tasks.two_arms.mdp.scene import EEFS

TRAY_M = (0.44, 0.04, 0.03)
"""Size of the tray."""
HALF_M = TRAY_M[0] / 2
ENDS_M = {"left": (0.0, HALF_M), "right": (-HALF_M, 0.0)}
"""Which part of the tray, along its x axis, each arm takes."""

VARIANTS: dict[str, dict[str, Ranges]] = {
    "d0": {"tray": {"x": (0.45, 0.55), "y": (-0.05, 0.05), "yaw": (ACROSS_RAD - 0.2, ACROSS_RAD + 0.2)}},
    "d1": {"tray": {"x": (0.42, 0.58), "y": (-0.08, 0.08), "yaw": (ACROSS_RAD - 0.4, ACROSS_RAD + 0.4)}},
    "d2": {"tray": {"x": (0.4, 0.6), "y": (-0.1, 0.1), "yaw": (ACROSS_RAD - 0.6, ACROSS_RAD + 0.6)}},
}


@configclass
class LiftSceneCfg(TwoArmsSceneCfg):
    """Two arms and a tray."""

    tray = firm(box("tray", TRAY_M, 0.25, (0.2, 0.4, 0.7), yaw_rad=ACROSS_RAD))


@configclass
class LiftPolicyCfg(TwoArmsPolicyCfg):
    """What a policy sees."""

    tray = observed(object_state, name="tray")


@configclass
class LiftSubtaskTermsCfg(ObservationGroupCfg):
    """Whether each subtask is done."""

    grasp_left = observed(conditions.held, eef="left", name="tray", along_m=ENDS_M["left"])
    grasp_right = observed(conditions.held, eef="right", name="tray", along_m=ENDS_M["right"])

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class LiftObservationsCfg:
    """Groups of observations."""

    policy = LiftPolicyCfg()
    subtask_terms = LiftSubtaskTermsCfg()


@configclass
class LiftTerminationsCfg:
    """When the task is done."""

    success = TerminationTermCfg(func=conditions.lifted_together, params={"name": "tray", "half_m": HALF_M})


@configclass
class LiftTrayEnvCfg(TwoArmsTaskCfg):
    """Take the tray by both ends and lift it, level."""

    scene: Any = LiftSceneCfg(num_envs=1, env_spacing=2.5)
    observations: Any = LiftObservationsCfg()
    terminations: Any = LiftTerminationsCfg()

    def __post_init__(self):
        super().__post_init__()
        self.variant_ranges = VARIANTS
        self.subtask_configs = {eef: _subtasks(eef) for eef in EEFS}
        self.task_constraint_configs = [together(("left", 1), ("right", 1))]
        self.settle(LIFT_TASK_ID)


def _subtasks(eef: str) -> list[SubTaskConfig]:
    return [
        subtask("tray", f"grasp_{eef}", "Grasp an end of the tray", noise=0.02, offsets=(3, 8)),
        # what pulls at the tray pulls at both hands
        subtask("tray", None, "Lift the tray together", noise=0.003),
    ]
