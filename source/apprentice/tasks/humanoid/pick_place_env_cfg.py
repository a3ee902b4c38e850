"""Take a standing brick with the right hand and stand it on a pad."""

from __future__ import annotations

import math
from typing import Any

from isaaclab.managers import ObservationGroupCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.hands_cfg import Ranges, box, observed
from apprentice.tasks.hands_env import object_state
from apprentice.tasks.humanoid.env_cfg import HumanoidSceneCfg, HumanoidTaskCfg, OneHandPolicyCfg
from apprentice.tasks.humanoid.mdp import conditions
from apprentice.tasks.mimic import subtask
from apprentice.tasks.tabletop.bodies import firm

BRICK_M = (0.05, 0.05, 0.12)
"""Size of the brick."""
PAD_M = (0.16, 0.16, 0.01)
"""Size of the pad."""
ON_PAD_M = (BRICK_M[2] + PAD_M[2]) / 2
"""Height of the brick's centre above the pad's where it stands on it."""

VARIANTS: dict[str, dict[str, Ranges]] = {
    "d0": {
        "brick": {"x": (0.42, 0.5), "y": (-0.26, -0.16), "yaw": (-0.4, 0.4)},
        "pad": {"x": (0.42, 0.5), "y": (0.0, 0.1), "yaw": (-0.4, 0.4)},
    },
    "d1": {
        "brick": {"x": (0.4, 0.52), "y": (-0.3, -0.14), "yaw": (-math.pi, math.pi)},
        "pad": {"x": (0.4, 0.52), "y": (0.0, 0.16), "yaw": (-math.pi, math.pi)},
    },
    "d2": {
        "brick": {"x": (0.38, 0.54), "y": (-0.34, -0.14), "yaw": (-math.pi, math.pi)},
        "pad": {"x": (0.38, 0.54), "y": (0.0, 0.22), "yaw": (-math.pi, math.pi)},
    },
}


@configclass
class PickPlaceSceneCfg(HumanoidSceneCfg):
    """The robot, a brick and a pad."""

    brick = firm(box("brick", BRICK_M, 0.3, (0.8, 0.3, 0.15)))
    pad = box("pad", PAD_M, 2.0, (0.2, 0.45, 0.3))


@configclass
class PickPlacePolicyCfg(OneHandPolicyCfg):
    """What a policy sees."""

    brick = observed(object_state, name="brick")
    pad = observed(object_state, name="pad")


@configclass
class PickPlaceSubtaskTermsCfg(ObservationGroupCfg):
    """Whether each subtask is done."""

    grasp = observed(
        conditions.lifted, eef="right", name="brick", low_m=-0.04, high_m=0.04, height_m=BRICK_M[2] / 2 + 0.02
    )

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class PickPlaceObservationsCfg:
    """Groups of observations."""

    policy = PickPlacePolicyCfg()
    subtask_terms = PickPlaceSubtaskTermsCfg()


@configclass
class PickPlaceTerminationsCfg:
    """When the task is done."""

    success = TerminationTermCfg(
        func=conditions.stands_on,
        params={
            "eef": "right",
            "name": "brick",
            "onto": "pad",
            "height_m": (ON_PAD_M - 0.01, ON_PAD_M + 0.01),
            "offset_m": 0.045,
        },
    )


@configclass
class PickPlaceEnvCfg(HumanoidTaskCfg):
    """Stand the brick on the pad."""

    scene: Any = PickPlaceSceneCfg(num_envs=1, env_spacing=3.0)
    observations: Any = PickPlaceObservationsCfg()
    terminations: Any = PickPlaceTerminationsCfg()

    def __post_init__(self):
        super().__post_init__()
        self.variant_ranges = VARIANTS
        self.object_symmetry = {"brick": 4, "pad": 4}
        self.subtask_configs = {
            "right": [
                subtask("brick", "grasp", "Take the brick", noise=0.02, offsets=(3, 8)),
                subtask("pad", None, "Stand it on the pad", noise=0.01),
            ]
        }
        self.settle(self.task_id)
