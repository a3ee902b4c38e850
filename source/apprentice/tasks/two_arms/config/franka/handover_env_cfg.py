"""Apprentice-Handover-TwoFrankas: the left arm takes a stick, hands it to the right arm, and that lays it on a pad."""

from __future__ import annotations

from typing import Any

from isaaclab.managers import ObservationGroupCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.hands_cfg import Ranges, box, observed
from apprentice.tasks.hands_env import object_state
from apprentice.tasks.mimic import in_order, subtask
from apprentice.tasks.two_arms.config.franka import HANDOVER_TASK_ID
from apprentice.tasks.two_arms.env_cfg import ACROSS_RAD, STILL, TwoArmsPolicyCfg, TwoArmsSceneCfg, TwoArmsTaskCfg
from apprentice.tasks.two_arms.mdp import conditions

STICK_M = (0.34, 0.04, 0.03)
"""Size of the stick."""
PAD_M = (0.24, 0.12, 0.01)
"""Size of the pad."""
HALF_M = STICK_M[0] / 2
ENDS_M = {"left": (0.0, HALF_M), "right": (-HALF_M, 0.0)}
"""Which part of the stick, along its x axis, each arm takes."""
ON_PAD_M = (STICK_M[2] + PAD_M[2]) / 2
"""Height of the stick's centre above the pad's where it lies on it."""


def _ranges(x: tuple[float, float], stick_y: tuple[float, float], pad_y: tuple[float, float], yaw: float) -> Any:
    turn = (ACROSS_RAD - yaw, ACROSS_RAD + yaw)
    return {"stick": {"x": x, "y": stick_y, "yaw": turn}, "pad": {"x": x, "y": pad_y, "yaw": turn}}


VARIANTS: dict[str, dict[str, Ranges]] = {
    "d0": _ranges((0.45, 0.55), (0.16, 0.22), (-0.32, -0.26), 0.15),
    "d1": _ranges((0.42, 0.58), (0.14, 0.26), (-0.36, -0.24), 0.3),
    "d2": _ranges((0.4, 0.6), (0.12, 0.28), (-0.38, -0.22), 0.5),
}


@configclass
class HandoverSceneCfg(TwoArmsSceneCfg):
    """Two arms, a stick and a pad."""

    stick = box("stick", STICK_M, 0.1, (0.8, 0.3, 0.2), yaw_rad=ACROSS_RAD)
    pad = box("pad", PAD_M, 2.0, (0.3, 0.5, 0.3), yaw_rad=ACROSS_RAD)


@configclass
class HandoverPolicyCfg(TwoArmsPolicyCfg):
    """What a policy sees."""

    stick = observed(object_state, name="stick")
    pad = observed(object_state, name="pad")


@configclass
class HandoverSubtaskTermsCfg(ObservationGroupCfg):
    """Whether each subtask is done."""

    grasp_left = observed(conditions.held, eef="left", name="stick", along_m=ENDS_M["left"])
    presented = observed(conditions.presented, eef="left", name="stick", along_m=ENDS_M["left"], y_m=(-0.06, 0.06))
    grasp_right = observed(conditions.held, eef="right", name="stick", along_m=ENDS_M["right"])
    released_left = observed(conditions.handed_over, giver="left", taker="right", name="stick", along_m=ENDS_M["right"])

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class HandoverObservationsCfg:
    """Groups of observations."""

    policy = HandoverPolicyCfg()
    subtask_terms = HandoverSubtaskTermsCfg()


@configclass
class HandoverTerminationsCfg:
    """When the task is done."""

    success = TerminationTermCfg(
        func=conditions.placed,
        params={"name": "stick", "onto": "pad", "height_m": (ON_PAD_M - 0.01, ON_PAD_M + 0.01), "offset_m": 0.05},
    )


@configclass
class HandoverEnvCfg(TwoArmsTaskCfg):
    """Hand a stick from the left arm to the right one, which lays it on a pad."""

    scene: Any = HandoverSceneCfg(num_envs=1, env_spacing=2.5)
    observations: Any = HandoverObservationsCfg()
    terminations: Any = HandoverTerminationsCfg()

    def __post_init__(self):
        super().__post_init__()
        self.variant_ranges = VARIANTS
        self.subtask_configs = {
            "left": [
                subtask("stick", "grasp_left", "Grasp the stick", noise=0.02, offsets=(3, 8)),
                subtask(None, "presented", "Hold it out to the other arm", noise=0.01, offsets=STILL),
                subtask("stick", "grasp_right", "Hold it for the other arm", noise=0.002),
                subtask("stick", "released_left", "Let go", noise=0.002),
                subtask(None, None, "Get out of the way", noise=0.01),
            ],
            "right": [
                subtask(None, "presented", "Wait for the stick", noise=0.005, offsets=STILL),
                subtask("stick", "grasp_right", "Take the stick", noise=0.01, offsets=(3, 8)),
                subtask("pad", None, "Lay it on the pad", noise=0.01),
            ],
        }
        self.task_constraint_configs = [
            # Isaac Lab keeps one constraint for each subtask: who waits has a subtask for that, which ends one step
            # after what it waits for
            in_order(("left", 1), ("right", 0), steps_left=1),
            in_order(("right", 1), ("left", 2), steps_left=1),
            in_order(("left", 3), ("right", 2)),
        ]
        self.settle(HANDOVER_TASK_ID)
