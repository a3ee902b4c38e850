"""The right hand takes a standing stick and hands it to the left hand."""

from __future__ import annotations

import math
from typing import Any

from isaaclab.managers import ObservationGroupCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.hands_cfg import Ranges, box, observed
from apprentice.tasks.hands_env import object_state
from apprentice.tasks.humanoid.env_cfg import HumanoidSceneCfg, HumanoidTaskCfg, TwoHandsPolicyCfg
from apprentice.tasks.humanoid.mdp import conditions
from apprentice.tasks.humanoid.mdp.places import ASIDE_M, MEETING_M
from apprentice.tasks.mimic import in_order, subtask
from apprentice.tasks.tabletop.bodies import firm

STICK_M = (0.05, 0.05, 0.26)
"""Size of the stick."""
PARTS_M = {"right": {"low_m": -0.13, "high_m": 0.0}, "left": {"low_m": 0.0, "high_m": 0.13}}
"""From where to where along the stick each hand holds it."""

VARIANTS: dict[str, dict[str, Ranges]] = {
    "d0": {"stick": {"x": (0.44, 0.51), "y": (-0.26, -0.16), "yaw": (-0.4, 0.4)}},
    "d1": {"stick": {"x": (0.43, 0.52), "y": (-0.3, -0.12), "yaw": (-math.pi, math.pi)}},
    "d2": {"stick": {"x": (0.42, 0.54), "y": (-0.34, -0.08), "yaw": (-math.pi, math.pi)}},
}

STILL = (10, 15)
"""Steps after the stick is held out that it still moves to where it is taken: what is done about it after that must not
begin with its motion."""


@configclass
class HandoverSceneCfg(HumanoidSceneCfg):
    """The robot and a stick."""

    stick = firm(box("stick", STICK_M, 0.3, (0.75, 0.55, 0.2)))


@configclass
class HandoverPolicyCfg(TwoHandsPolicyCfg):
    """What a policy sees."""

    stick = observed(object_state, name="stick")


@configclass
class HandoverSubtaskTermsCfg(ObservationGroupCfg):
    """Whether each subtask is done."""

    grasp_right = observed(conditions.held, eef="right", name="stick", **PARTS_M["right"])
    presented = observed(conditions.presented, eef="right", name="stick", **PARTS_M["right"], place_m=MEETING_M)
    grasp_left = observed(conditions.held, eef="left", name="stick", **PARTS_M["left"])
    released_right = observed(conditions.handed_over, giver="right", taker="left", name="stick", **PARTS_M["left"])

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
        func=conditions.taken_away,
        params={"giver": "right", "taker": "left", "name": "stick", **PARTS_M["left"], "place_m": ASIDE_M},
    )


@configclass
class HandoverEnvCfg(HumanoidTaskCfg):
    """Hand the stick from the right hand to the left one, which holds it aside."""

    scene: Any = HandoverSceneCfg(num_envs=1, env_spacing=3.0)
    observations: Any = HandoverObservationsCfg()
    terminations: Any = HandoverTerminationsCfg()

    def __post_init__(self):
        super().__post_init__()
        self.variant_ranges = VARIANTS
        self.object_symmetry = {"stick": 4}
        self.subtask_configs = {
            "left": [
                subtask(None, "presented", "Wait for the stick", noise=0.003, offsets=STILL),
                subtask("stick", "grasp_left", "Take the stick", noise=0.01, offsets=(3, 8)),
                subtask(None, None, "Hold it aside", noise=0.01),
            ],
            "right": [
                subtask("stick", "grasp_right", "Grasp the stick", noise=0.02, offsets=(3, 8)),
                subtask(None, "presented", "Hold it out to the other hand", noise=0.01, offsets=STILL),
                subtask("stick", "grasp_left", "Hold it for the other hand", noise=0.002),
                subtask("stick", "released_right", "Let go", noise=0.002),
                subtask(None, None, "Get out of the way", noise=0.01),
            ],
        }
        self.task_constraint_configs = [
            # Isaac Lab keeps one constraint for each subtask: who waits has a subtask for that, which ends one step
            # after what it waits for
            in_order(("right", 1), ("left", 0), steps_left=1),
            in_order(("left", 1), ("right", 2), steps_left=1),
            in_order(("right", 3), ("left", 2)),
        ]
        self.settle(self.task_id)
