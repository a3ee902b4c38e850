"""Apprentice-Insert-Franka: a standing peg into a square hole that is 2 mm wider, on any backend, offline."""

from __future__ import annotations

import math
from typing import Any

import isaaclab.sim as sim_utils
from isaaclab.assets import RigidObjectCfg
from isaaclab.envs.mimic_env_cfg import MimicEnvCfg, SubTaskConfig
from isaaclab.managers import (
    EventTermCfg,
    ObservationGroupCfg,
    ObservationTermCfg,
    SceneEntityCfg,
    TerminationTermCfg,
)
from isaaclab.utils import configclass
from isaaclab_tasks.contrib.stack import mdp
from isaaclab_tasks.contrib.stack.config.franka.stack_ik_rel_env_cfg import FrankaCubeStackEnvCfg
from isaaclab_tasks.contrib.stack.stack_env_cfg import ObjectTableSceneCfg

from apprentice.errors import UserError
from apprentice.sim.localise import swap_assets
from apprentice.tasks import readings
from apprentice.tasks.insert.mdp import conditions, events, observations
from apprentice.tasks.insert.mdp.sizes import (
    CLEARANCE_M,
    OBJECTS,
    PEG,
    PEG_LENGTH_M,
    PEG_WIDTH_M,
    SOCKET,
    SOCKET_HEIGHT_M,
    SOCKET_REST_M,
    WALL_M,
)
from apprentice.tasks.insert.socket import SocketCfg

MIN_SEPARATION_M = 0.11
QUARTER = (-math.pi / 4, math.pi / 4)

VARIANTS: dict[str, dict[str, dict[str, tuple[float, float]]]] = {
    "d0": {
        PEG: {"x": (0.4, 0.6), "y": (-0.2, -0.05), "yaw": QUARTER},
        SOCKET: {"x": (0.45, 0.55), "y": (0.1, 0.2), "yaw": (0.0, 0.0)},
    },
    "d1": {
        PEG: {"x": (0.37, 0.63), "y": (-0.25, 0.0), "yaw": (-math.pi, math.pi)},
        SOCKET: {"x": (0.4, 0.6), "y": (0.05, 0.25), "yaw": QUARTER},
    },
    "d2": {
        PEG: {"x": (0.35, 0.65), "y": (-0.28, 0.28), "yaw": (-math.pi, math.pi)},
        SOCKET: {"x": (0.37, 0.63), "y": (-0.28, 0.28), "yaw": (-math.pi, math.pi)},
    },
}
"""Reset ranges: x and y in metres (environment frame), yaw in rad. Every pose can be grasped, and be inserted into,
from above."""

SUBTASKS: tuple[tuple[str, str | None, float, str], ...] = (
    (PEG, "grasp", 0.01, "Grasp the peg"),
    (SOCKET, None, 0.003, "Insert the peg"),
)
"""Object that the subtask is about, signal of its end, action noise (m and rad), and what it does."""


@configclass
class InsertSceneCfg(ObjectTableSceneCfg):
    """Isaac Lab's table with a peg and a socket instead of cubes."""

    cube_1: RigidObjectCfg | None = None
    cube_2: RigidObjectCfg | None = None
    cube_3: RigidObjectCfg | None = None
    peg = RigidObjectCfg(
        prim_path="{ENV_REGEX_NS}/Peg",
        init_state=RigidObjectCfg.InitialStateCfg(pos=(0.5, -0.12, PEG_LENGTH_M / 2)),
        spawn=sim_utils.CuboidCfg(
            size=(PEG_WIDTH_M, PEG_WIDTH_M, PEG_LENGTH_M),
            rigid_props=sim_utils.UsdPhysicsRigidBodyCfg(),
            mass_props=sim_utils.MassPropertiesCfg(mass=0.05),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            physics_material=sim_utils.RigidBodyMaterialCfg(static_friction=0.3, dynamic_friction=0.3),
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.9, 0.3, 0.1)),
            semantic_tags=[("class", PEG)],
        ),
    )
    socket = RigidObjectCfg(
        prim_path="{ENV_REGEX_NS}/Socket",
        init_state=RigidObjectCfg.InitialStateCfg(pos=(0.5, 0.15, SOCKET_REST_M)),
        spawn=SocketCfg(
            hole_m=PEG_WIDTH_M + CLEARANCE_M,
            wall_m=WALL_M,
            height_m=SOCKET_HEIGHT_M,
            rigid_props=sim_utils.UsdPhysicsRigidBodyCfg(kinematic_enabled=True),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            physics_material=sim_utils.RigidBodyMaterialCfg(static_friction=0.3, dynamic_friction=0.3),
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.15, 0.3, 0.7)),
            semantic_tags=[("class", SOCKET)],
        ),
    )


@configclass
class PolicyCfg(ObservationGroupCfg):
    """What a policy may see."""

    actions = ObservationTermCfg(func=mdp.last_action)
    joint_pos = ObservationTermCfg(func=mdp.joint_pos_rel)
    joint_vel = ObservationTermCfg(func=mdp.joint_vel_rel)
    object = ObservationTermCfg(func=observations.object_state)
    object_positions = ObservationTermCfg(func=observations.object_positions)
    object_orientations = ObservationTermCfg(func=observations.object_orientations)
    eef_pos = ObservationTermCfg(func=readings.eef_pos)
    eef_quat = ObservationTermCfg(func=readings.eef_quat)
    gripper_pos = ObservationTermCfg(func=readings.gripper_pos)

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class SubtaskTermsCfg(ObservationGroupCfg):
    """Whether each subtask is done."""

    grasp = ObservationTermCfg(func=conditions.peg_grasped)

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class ObservationsCfg:
    policy: PolicyCfg = PolicyCfg()
    subtask_terms: SubtaskTermsCfg = SubtaskTermsCfg()


@configclass
class TerminationsCfg:
    time_out = TerminationTermCfg(func=mdp.time_out, time_out=True)
    peg_dropping = TerminationTermCfg(
        func=mdp.root_height_below_minimum, params={"minimum_height": -0.05, "asset_cfg": SceneEntityCfg(PEG)}
    )
    success = TerminationTermCfg(func=conditions.peg_inserted)


@configclass
class InsertFrankaEnvCfg(FrankaCubeStackEnvCfg, MimicEnvCfg):
    """Put the peg into the hole. Robot, table, actions and rates are those of the stacking task."""

    class_type: type | str = "{DIR}.env:InsertFrankaMimicEnv"
    scene: Any = InsertSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)
    observations: Any = ObservationsCfg()
    terminations: Any = TerminationsCfg()
    variants: tuple[str, ...] = tuple(VARIANTS)
    """What `apply_variant` takes."""
    variant: str = "d0"
    """Which of `VARIANTS` resets draw from. Set it with `apply_variant`."""
    object_symmetry: dict[str, int] = dict.fromkeys(OBJECTS, 4)
    """Order of each object's rotational symmetry about its vertical axis."""

    object_reset_ranges: dict[str, dict[str, tuple[float, float]]] = VARIANTS["d0"]
    """What resets draw each object's x, y (m, environment frame) and yaw (rad) from."""

    def __post_init__(self):
        super().__post_init__()
        swap_assets(self)
        scene: Any = self.scene
        scene.ee_frame = None  # poses are read from the hand's link
        resets: Any = self.events
        resets.randomize_cube_positions = None
        resets.reset_objects = EventTermCfg(
            func=events.reset_objects, mode="reset", params={"pose_ranges": {}, "min_separation": MIN_SEPARATION_M}
        )
        self.apply_variant(self.variant)
        self.subtask_configs = {"franka": _subtask_configs()}
        mimic: Any = self.datagen_config
        mimic.name = "Apprentice-Insert-Franka"
        mimic.generation_guarantee = True
        mimic.generation_keep_failed = False
        mimic.generation_select_src_per_subtask = True
        mimic.generation_transform_first_robot_pose = False
        mimic.generation_interpolate_from_last_target_pose = True
        mimic.generation_relative = True

    def apply_variant(self, name: str) -> None:
        """Draw resets from the ranges of variant `name`.

        Raises:
            UserError: If there is no such variant.
        """
        if name not in VARIANTS:
            raise UserError(f"Expected one of the variants {', '.join(VARIANTS)}, found '{name}'.")
        self.variant = name
        resets: Any = self.events
        resets.reset_objects.params["pose_ranges"] = VARIANTS[name]
        self.object_reset_ranges = VARIANTS[name]


def _subtask_configs() -> list[SubTaskConfig]:
    return [
        SubTaskConfig(
            object_ref=name,
            subtask_term_signal=signal,  # pyright: ignore[reportArgumentType]  None is Isaac Lab's "not detected"
            subtask_term_offset_range=(5, 10) if signal else (0, 0),
            selection_strategy="nearest_neighbor_object",
            selection_strategy_kwargs={"nn_k": 3},
            action_noise=noise,
            num_interpolation_steps=5,
            num_fixed_steps=0,
            apply_noise_during_interpolation=False,
            description=description,
        )
        for name, signal, noise, description in SUBTASKS
    ]
