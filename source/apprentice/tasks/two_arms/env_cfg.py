"""What the two-arm tasks have in common: two Pandas side by side at one table, looking along x, the left one at +y."""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any

import isaaclab.envs.mdp as mdp
import isaaclab.sim as sim_utils
from isaaclab.assets import AssetBaseCfg, RigidObjectCfg
from isaaclab.controllers.differential_ik_cfg import DifferentialIKControllerCfg
from isaaclab.envs import ManagerBasedRLEnvCfg
from isaaclab.envs.mdp.actions.actions_cfg import (
    BinaryJointPositionActionCfg,
    DifferentialInverseKinematicsActionCfg,
)
from isaaclab.envs.mimic_env_cfg import MimicEnvCfg
from isaaclab.managers import EventTermCfg, ObservationGroupCfg, ObservationTermCfg, SceneEntityCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.utils import configclass

from apprentice.errors import UserError
from apprentice.robots.franka import HAND, franka_panda_cfg

from .mdp import observations
from .mdp.scene import arm_of

SIDE_M = {"left": 0.3, "right": -0.3}
"""Where each arm stands along y."""
ACROSS_RAD = math.pi / 2
"""Turn about the vertical axis at which objects lie across both arms. The hands begin turned alike."""
JOINTS_AT_START = {
    "panda_joint1": 0.0,
    "panda_joint2": -0.1894,
    "panda_joint3": 0.0,
    "panda_joint4": -2.5148,
    "panda_joint5": 0.0,
    "panda_joint6": 2.3775,
    "panda_joint7": 0.785 - ACROSS_RAD,
    "panda_finger_joint.*": HAND.open_m,
}

Ranges = dict[str, tuple[float, float]]
"""Lowest and highest x, y (m, environment frame) and yaw (rad)."""


def _arm(eef: str) -> Any:
    panda: Any = franka_panda_cfg()
    robot = panda.replace(prim_path=f"{{ENV_REGEX_NS}}/{eef.capitalize()}Arm")
    robot.init_state.pos = (0.0, SIDE_M[eef], 0.0)
    robot.init_state.joint_pos = dict(JOINTS_AT_START)
    return robot


def box(
    name: str, size_m: tuple[float, float, float], mass_kg: float, colour: tuple[float, float, float]
) -> RigidObjectCfg:
    """A box that lies on the table, its x axis across both arms."""
    return RigidObjectCfg(
        prim_path=f"{{ENV_REGEX_NS}}/{name.capitalize()}",
        init_state=RigidObjectCfg.InitialStateCfg(
            pos=(0.5, 0.0, size_m[2] / 2), rot=(0.0, 0.0, math.sin(ACROSS_RAD / 2), math.cos(ACROSS_RAD / 2))
        ),
        spawn=sim_utils.CuboidCfg(
            size=size_m,
            rigid_props=sim_utils.UsdPhysicsRigidBodyCfg(),
            mass_props=sim_utils.MassPropertiesCfg(mass=mass_kg),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            physics_material=sim_utils.RigidBodyMaterialCfg(static_friction=1.0, dynamic_friction=1.0),
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=colour),
        ),
    )


@configclass
class TwoArmsSceneCfg(InteractiveSceneCfg):
    """Two arms, and a table whose top is at height 0."""

    left_arm = _arm("left")
    right_arm = _arm("right")
    table = AssetBaseCfg(
        prim_path="{ENV_REGEX_NS}/Table",
        init_state=AssetBaseCfg.InitialStateCfg(pos=(0.4, 0.0, -0.4)),
        spawn=sim_utils.CuboidCfg(
            size=(1.4, 1.6, 0.8),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            physics_material=sim_utils.RigidBodyMaterialCfg(static_friction=1.0, dynamic_friction=1.0),
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.6, 0.55, 0.5)),
        ),
    )
    light = AssetBaseCfg(prim_path="/World/light", spawn=sim_utils.DomeLightCfg(intensity=3000.0))


def _reach(eef: str) -> DifferentialInverseKinematicsActionCfg:
    return DifferentialInverseKinematicsActionCfg(
        asset_name=arm_of(eef),
        joint_names=["panda_joint.*"],
        body_name=HAND.link,
        controller=DifferentialIKControllerCfg(command_type="pose", use_relative_mode=True, ik_method="dls"),
        scale=0.5,  # as in the stacking task, which evens out unsteady commands
        body_offset=DifferentialInverseKinematicsActionCfg.OffsetCfg(pos=(0.0, 0.0, HAND.tcp_m)),
    )


def _grip(eef: str) -> BinaryJointPositionActionCfg:
    return BinaryJointPositionActionCfg(
        asset_name=arm_of(eef),
        joint_names=["panda_finger.*"],
        open_command_expr={"panda_finger_.*": HAND.open_m},
        close_command_expr={"panda_finger_.*": 0.0},
    )


@configclass
class TwoArmsActionsCfg:
    """Left arm, left gripper, right arm, right gripper."""

    left_reach = _reach("left")
    left_grip = _grip("left")
    right_reach = _reach("right")
    right_grip = _grip("right")


def observed(function: Any, **params: Any) -> ObservationTermCfg:
    """An observation term."""
    return ObservationTermCfg(func=function, params=params)


@configclass
class TwoArmsPolicyCfg(ObservationGroupCfg):
    """What a policy sees of the arms."""

    left_eef_pos = observed(observations.eef_pos, eef="left")
    left_eef_quat = observed(observations.eef_quat, eef="left")
    left_gripper_pos = observed(observations.gripper_pos, eef="left")
    right_eef_pos = observed(observations.eef_pos, eef="right")
    right_eef_quat = observed(observations.eef_quat, eef="right")
    right_gripper_pos = observed(observations.gripper_pos, eef="right")

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class TwoArmsEventsCfg:
    """Resets: everything to where it begins. `TwoArmsTaskCfg.apply_variant` adds what is drawn."""

    everything = EventTermCfg(func=mdp.reset_scene_to_default, mode="reset")


@configclass
class TwoArmsTaskCfg(ManagerBasedRLEnvCfg, MimicEnvCfg):
    """20 Hz control, as the stacking task."""

    scene: Any = TwoArmsSceneCfg(num_envs=1, env_spacing=2.5)
    actions: Any = TwoArmsActionsCfg()
    events: Any = TwoArmsEventsCfg()
    rewards: Any = None
    variant: str = "d0"
    """Which of the task's variants resets draw from. Set it with `apply_variant`."""
    variants: tuple[str, ...] = ()
    """What `apply_variant` takes."""
    variant_ranges: dict[str, dict[str, Ranges]] = field(default_factory=dict)
    """Per variant and object, what resets draw."""
    object_reset_ranges: dict[str, Ranges] = field(default_factory=dict)
    """What resets draw at present."""
    object_symmetry: dict[str, int] = field(default_factory=dict)
    """Order of each object's rotational symmetry about its vertical axis. 1 for all: one end is the left arm's, the
    other the right arm's."""

    def __post_init__(self):
        super().__post_init__()  # pyright: ignore[reportAttributeAccessIssue]
        self.sim.dt = 0.01
        self.decimation = 5
        self.episode_length_s = 40.0

    def settle(self, name: str) -> None:
        """Finish what depends on the task. To be called last by its `__post_init__`.

        Args:
            name: Its id.
        """
        self.variants = tuple(self.variant_ranges)
        self.object_symmetry = dict.fromkeys(self.variant_ranges["d0"], 1)
        self.apply_variant(self.variant)
        mimic: Any = self.datagen_config
        mimic.name = name
        mimic.generation_guarantee = True
        mimic.generation_keep_failed = False
        mimic.generation_select_src_per_subtask = True
        mimic.generation_select_src_per_arm = True
        mimic.generation_transform_first_robot_pose = False
        mimic.generation_interpolate_from_last_target_pose = True

    def apply_variant(self, name: str) -> None:
        """Draw resets from the ranges of variant `name`.

        Raises:
            UserError: If there is no such variant.
        """
        if name not in self.variant_ranges:
            raise UserError(f"Expected one of the variants {', '.join(self.variant_ranges)}, found '{name}'.")
        self.variant, self.object_reset_ranges = name, self.variant_ranges[name]
        for key, ranges in self.object_reset_ranges.items():
            x, y, _ = getattr(self.scene, key).init_state.pos
            from_default = {"x": x, "y": y, "yaw": ACROSS_RAD}
            pose_range = {
                axis: (low - from_default[axis], high - from_default[axis]) for axis, (low, high) in ranges.items()
            }
            scatter: Any = mdp.reset_root_state_uniform
            event = EventTermCfg(
                func=scatter,
                mode="reset",
                params={"pose_range": pose_range, "velocity_range": {}, "asset_cfg": SceneEntityCfg(key)},
            )
            setattr(self.events, f"scatter_{key}", event)
