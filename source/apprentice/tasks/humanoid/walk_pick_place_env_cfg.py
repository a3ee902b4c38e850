"""Take a standing brick from one table, walk to another, and stand it on a pad there."""

from __future__ import annotations

import math
from typing import Any

import isaaclab.sim as sim_utils
from isaaclab.assets import RigidObjectCfg
from isaaclab.managers import EventTermCfg, ObservationGroupCfg
from isaaclab.utils import configclass

from apprentice.tasks.hands_cfg import Ranges, box, observed, table
from apprentice.tasks.hands_env import object_state
from apprentice.tasks.humanoid.env_cfg import HumanoidSceneCfg, HumanoidTaskCfg, OneHandPolicyCfg
from apprentice.tasks.humanoid.mdp import conditions
from apprentice.tasks.humanoid.mdp.base import base_state
from apprentice.tasks.humanoid.mdp.resets import put_under
from apprentice.tasks.humanoid.pick_place_env_cfg import BRICK_M, PAD_M, PickPlaceTerminationsCfg
from apprentice.tasks.mimic import subtask
from apprentice.tasks.tabletop.bodies import firm

TABLE_M = (0.6, 0.9, 0.04)
"""Size of both tables, away from the robot, to its side, and up."""
TABLE_X_M = 0.55
"""Where the middle of the first one is in front of the robot."""
PAD_ON_TABLE_M = -0.1
"""How far from the second one's middle the pad lies, towards the robot."""
HOLD = {"low_m": -0.04, "high_m": 0.04}
"""From where to where along the brick it is held."""

VARIANTS: dict[str, dict[str, Ranges]] = {
    "d0": {
        "brick": {"x": (0.42, 0.5), "y": (-0.24, -0.1), "yaw": (-0.4, 0.4)},
        "pad": {"x": (-0.38, -0.28), "y": (1.05, 1.15), "yaw": (1.45, 1.69)},
    },
    "d1": {
        "brick": {"x": (0.4, 0.52), "y": (-0.28, -0.06), "yaw": (-math.pi, math.pi)},
        "pad": {"x": (-0.45, -0.2), "y": (1.0, 1.2), "yaw": (1.3, 1.84)},
    },
    "d2": {
        "brick": {"x": (0.38, 0.54), "y": (-0.32, 0.0), "yaw": (-math.pi, math.pi)},
        "pad": {"x": (-0.55, -0.15), "y": (1.0, 1.3), "yaw": (1.1, 2.04)},
    },
}
"""The pad's yaw is the direction in which the robot faces when it stands before the second table."""
BESIDE: dict[str, Ranges] = {
    "d0": {"x": (-0.02, 0.02), "y": (-0.1, 0.1), "yaw": (-0.05, 0.05)},
    "d1": {"x": (-0.03, 0.03), "y": (-0.15, 0.15), "yaw": (-0.1, 0.1)},
    "d2": {"x": (-0.04, 0.04), "y": (-0.2, 0.2), "yaw": (-0.15, 0.15)},
}
"""How far from its usual place under the pad the second table is, per variant, as it stands."""


def _second_table() -> RigidObjectCfg:
    like = table(TABLE_M, 0.0)
    spawn: Any = like.spawn
    spawn.rigid_props = sim_utils.UsdPhysicsRigidBodyCfg(kinematic_enabled=True)
    return RigidObjectCfg(
        prim_path="{ENV_REGEX_NS}/SecondTable",
        init_state=RigidObjectCfg.InitialStateCfg(pos=(-0.3, 1.2, -TABLE_M[2] / 2)),
        spawn=spawn,
    )


@configclass
class WalkPickPlaceSceneCfg(HumanoidSceneCfg):
    """The robot between two tables, a brick on one and a pad on the other."""

    table = table(TABLE_M, TABLE_X_M)
    second_table = _second_table()
    brick = firm(box("brick", BRICK_M, 0.3, (0.8, 0.3, 0.15)))
    pad = box("pad", PAD_M, 2.0, (0.2, 0.45, 0.3))


@configclass
class WalkPickPlacePolicyCfg(OneHandPolicyCfg):
    """What a policy sees."""

    base = observed(base_state)
    brick = observed(object_state, name="brick")
    pad = observed(object_state, name="pad")


@configclass
class WalkPickPlaceSubtaskTermsCfg(ObservationGroupCfg):
    """Whether each subtask is done."""

    grasp = observed(conditions.lifted, eef="right", name="brick", height_m=BRICK_M[2] / 2 + 0.02, **HOLD)
    carry = observed(conditions.carried_off, eef="right", name="brick", from_m=(TABLE_X_M, 0.0), beyond_m=0.7, **HOLD)

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class WalkPickPlaceObservationsCfg:
    """Groups of observations."""

    policy = WalkPickPlacePolicyCfg()
    subtask_terms = WalkPickPlaceSubtaskTermsCfg()


@configclass
class WalkPickPlaceEnvCfg(HumanoidTaskCfg):
    """Carry the brick to the other table, and stand it on the pad there."""

    scene: Any = WalkPickPlaceSceneCfg(num_envs=1, env_spacing=3.0)
    observations: Any = WalkPickPlaceObservationsCfg()
    terminations: Any = PickPlaceTerminationsCfg()

    def __post_init__(self):
        super().__post_init__()
        self.variant_ranges = VARIANTS
        self.object_symmetry = {"brick": 4, "pad": 1}
        self.loose_objects = ("second_table",)
        self.subtask_configs = {
            "right": [
                subtask("brick", "grasp", "Take the brick", noise=0.02, offsets=(3, 8)),
                subtask(None, "carry", "Carry it away from the table", noise=0.01),
                subtask("pad", None, "Stand it on the pad on the other table", noise=0.01),
            ]
        }
        self.settle(self.task_id)

    def apply_variant(self, name: str) -> None:
        super().apply_variant(name)
        self.events.place_second_table = EventTermCfg(
            func=put_under,
            mode="reset",
            params={"name": "second_table", "above": "pad", "place_m": (-PAD_ON_TABLE_M, 0.0), "ranges": BESIDE[name]},
        )
