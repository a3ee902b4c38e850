"""A task with two arms, for tests: importing this module registers `Test-Two-Frankas` with Gymnasium.

Two Pandas stand side by side at one table and look along x, the left one at positive y. Each lifts the cube before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import isaaclab.envs.mdp as mdp
import isaaclab.sim as sim_utils
import torch
from isaaclab.assets import AssetBaseCfg, RigidObjectCfg
from isaaclab.controllers.differential_ik_cfg import DifferentialIKControllerCfg
from isaaclab.envs import ManagerBasedRLEnvCfg, ManagerBasedRLMimicEnv
from isaaclab.envs.mdp.actions.actions_cfg import (
    BinaryJointPositionActionCfg,
    DifferentialInverseKinematicsActionCfg,
)
from isaaclab.envs.mimic_env_cfg import MimicEnvCfg, SubTaskConfig
from isaaclab.managers import (
    EventTermCfg,
    ObservationGroupCfg,
    ObservationTermCfg,
    SceneEntityCfg,
    TerminationTermCfg,
)
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.utils import configclass
from torch import Tensor

from apprentice.poses import inverse, make_pose, position, quat_from_rotation, rotation, rotation_from_quat
from apprentice.robots.franka import franka_panda_cfg
from apprentice.sim.views import CameraView

TASK_ID = "Test-Two-Frankas"
EEFS = ("left", "right")
SIDE_M = {"left": 0.3, "right": -0.3}
"""Where each arm and its cube are along y."""
CUBE_AHEAD_M = 0.5
CUBE_EDGE_M = 0.04
LIFTED_M = 0.1
"""Height above the table at which a cube counts as lifted."""
HAND = "panda_hand"
HAND_TO_TCP_M = 0.1034
FINGERS = ("panda_finger_joint1", "panda_finger_joint2")
FINGERS_ON_CUBE_M = (0.012, 0.0225)
HELD_WITHIN_M = 0.03
WIDTH = 8
"""Numbers that each arm takes of an action: position (m) and quaternion xyzw in the arm's base frame, gripper."""
JOINTS_AT_START = {
    "panda_joint1": 0.0,
    "panda_joint2": -0.1894,
    "panda_joint3": 0.0,
    "panda_joint4": -2.5148,
    "panda_joint5": 0.0,
    "panda_joint6": 2.3775,
    "panda_joint7": 0.785,
    "panda_finger_joint.*": 0.04,
}


def arm_of(eef: str) -> str:
    """Name of an end effector's robot in the scene."""
    return f"{eef}_arm"


def cube_of(eef: str) -> str:
    """Name of the cube before an arm."""
    return f"{eef}_cube"


def base_pose(env: Any, eef: str) -> Tensor:
    """Base of an arm in the environment's frame. Shape (N, 4, 4)."""
    root = env.scene[arm_of(eef)].data.root_link_pose_w.torch
    return make_pose(root[:, :3] - env.scene.env_origins, rotation_from_quat(root[:, 3:7]))


def tcp_pose(env: Any, eef: str) -> Tensor:
    """Point between an arm's fingertips in the environment's frame. Shape (N, 4, 4)."""
    arm = env.scene[arm_of(eef)]
    hand = arm.data.body_link_pose_w.torch[:, arm.body_names.index(HAND)]
    turn = rotation_from_quat(hand[:, 3:7])
    return make_pose(hand[:, :3] - env.scene.env_origins + HAND_TO_TCP_M * turn[..., 2], turn)


def cube_pose(env: Any, eef: str) -> Tensor:
    """The cube before an arm in the environment's frame. Shape (N, 4, 4)."""
    pose = env.scene[cube_of(eef)].data.root_link_pose_w.torch
    return make_pose(pose[:, :3] - env.scene.env_origins, rotation_from_quat(pose[:, 3:7]))


def finger_positions(env: Any, eef: str) -> Tensor:
    """Distance of each finger from the hand's middle plane (m). Shape (N, 2)."""
    arm = env.scene[arm_of(eef)]
    return arm.data.joint_pos.torch[:, [arm.joint_names.index(name) for name in FINGERS]]


def eef_pos(env: Any, eef: str) -> Tensor:
    """Observation: point between the fingertips. Shape (N, 3)."""
    return position(tcp_pose(env, eef))


def eef_quat(env: Any, eef: str) -> Tensor:
    """Observation: orientation of the hand, xyzw. Shape (N, 4)."""
    return quat_from_rotation(rotation(tcp_pose(env, eef)))


def cube_state(env: Any, eef: str) -> Tensor:
    """Observation: position and quaternion xyzw of the cube. Shape (N, 7)."""
    pose = cube_pose(env, eef)
    return torch.cat((position(pose), quat_from_rotation(rotation(pose))), -1)


def grasped(env: Any, eef: str) -> Tensor:
    """Whether an arm holds its cube. Shape (N,)."""
    apart = position(cube_pose(env, eef)) - position(tcp_pose(env, eef))
    fingers = finger_positions(env, eef)
    low, high = FINGERS_ON_CUBE_M
    return (apart.norm(dim=1) < HELD_WITHIN_M) & ((fingers > low) & (fingers < high)).all(1)


def lifted(env: Any, eef: str) -> Tensor:
    """Whether an arm holds its cube up. Shape (N,)."""
    return grasped(env, eef) & (position(cube_pose(env, eef))[:, 2] > LIFTED_M + CUBE_EDGE_M / 2)


def both_lifted(env: Any) -> Tensor:
    """Whether both cubes are held up. Shape (N,)."""
    return lifted(env, "left") & lifted(env, "right")


class TwoArmsEnv(ManagerBasedRLMimicEnv):
    """Actions are absolute: for the left arm and then for the right, see `WIDTH`."""

    camera_views = (CameraView(name="front", eye_m=(1.7, -0.9, 0.9), target_m=(0.4, 0.0, 0.15)),)

    def get_robot_eef_pose(self, eef_name: str, env_ids: Sequence[int] | None = None) -> Tensor:
        """Point between an arm's fingertips in the environment's frame. Shape (K, 4, 4)."""
        pose = tcp_pose(self, eef_name)
        return pose if env_ids is None else pose[env_ids]

    def get_object_poses(self, env_ids: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Both cubes in the environment's frame. Shape (K, 4, 4) each."""
        poses = {cube_of(eef): cube_pose(self, eef) for eef in EEFS}
        return poses if env_ids is None else {name: pose[env_ids] for name, pose in poses.items()}

    def target_eef_poses_to_actions(self, targets: dict[str, Tensor], grippers: dict[str, Tensor]) -> Tensor:
        """Actions that ask both hands of every environment to go to their targets. Shape (N, 16)."""
        parts: list[Tensor] = []
        for eef in EEFS:
            target = inverse(base_pose(self, eef)) @ targets[eef]
            parts += [position(target), quat_from_rotation(rotation(target)), grippers[eef]]
        return torch.cat(parts, -1)

    def target_eef_pose_to_action(
        self,
        target_eef_pose_dict: dict[str, Tensor],
        gripper_action_dict: dict[str, Tensor],
        action_noise_dict: dict[str, float] | None = None,
        env_id: int = 0,
    ) -> Tensor:
        """Isaac Lab's interface: the same for one environment, with optional noise. Shape (16,)."""
        targets = {eef: pose.expand(self.num_envs, 4, 4) for eef, pose in target_eef_pose_dict.items()}
        grippers = {eef: grip.expand(self.num_envs, 1) for eef, grip in gripper_action_dict.items()}
        action = self.target_eef_poses_to_actions(targets, grippers)[env_id]
        for index, eef in enumerate(EEFS):
            if action_noise_dict is not None:
                pose = action[WIDTH * index : WIDTH * index + 7]
                pose += action_noise_dict[eef] * torch.randn_like(pose)
        return action

    def action_to_target_eef_pose(self, action: Tensor) -> dict[str, Tensor]:
        """Poses that actions ask for, the inverse of `target_eef_poses_to_actions`. Shape (N, 4, 4) each."""
        parts = zip(EEFS, action.split(WIDTH, -1), strict=True)
        return {
            eef: base_pose(self, eef) @ make_pose(part[:, :3], rotation_from_quat(part[:, 3:7])) for eef, part in parts
        }

    def actions_to_gripper_actions(self, actions: Tensor) -> dict[str, Tensor]:
        """Gripper parts of actions. Shape (..., 1) each."""
        return {eef: part[..., -1:] for eef, part in zip(EEFS, actions.split(WIDTH, -1), strict=True)}

    def get_subtask_term_signals(self, env_ids: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Whether each cube is held, and lifted. Shape (K,) each."""
        signals: Any = self.obs_buf["subtask_terms"]
        return {name: signal if env_ids is None else signal[env_ids] for name, signal in signals.items()}


def _arm(eef: str) -> Any:
    robot: Any = franka_panda_cfg().replace(prim_path=f"{{ENV_REGEX_NS}}/{eef.capitalize()}Arm")
    robot.init_state.pos = (0.0, SIDE_M[eef], 0.0)
    robot.init_state.joint_pos = dict(JOINTS_AT_START)
    return robot


def _cube(eef: str, colour: tuple[float, float, float]) -> RigidObjectCfg:
    return RigidObjectCfg(
        prim_path=f"{{ENV_REGEX_NS}}/{eef.capitalize()}Cube",
        init_state=RigidObjectCfg.InitialStateCfg(pos=(CUBE_AHEAD_M, SIDE_M[eef], CUBE_EDGE_M / 2)),
        spawn=sim_utils.CuboidCfg(
            size=(CUBE_EDGE_M,) * 3,
            rigid_props=sim_utils.UsdPhysicsRigidBodyCfg(),
            mass_props=sim_utils.MassPropertiesCfg(mass=0.1),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            physics_material=sim_utils.RigidBodyMaterialCfg(static_friction=1.0, dynamic_friction=1.0),
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=colour),
        ),
    )


@configclass
class SceneCfg(InteractiveSceneCfg):
    """Two arms, two cubes, a table whose top is at height 0."""

    left_arm = _arm("left")
    right_arm = _arm("right")
    left_cube = _cube("left", (0.2, 0.3, 0.8))
    right_cube = _cube("right", (0.8, 0.2, 0.2))
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
        body_name=HAND,
        controller=DifferentialIKControllerCfg(command_type="pose", use_relative_mode=False, ik_method="dls"),
        body_offset=DifferentialInverseKinematicsActionCfg.OffsetCfg(pos=(0.0, 0.0, HAND_TO_TCP_M)),
    )


def _grip(eef: str) -> BinaryJointPositionActionCfg:
    return BinaryJointPositionActionCfg(
        asset_name=arm_of(eef),
        joint_names=["panda_finger.*"],
        open_command_expr={"panda_finger_.*": 0.04},
        close_command_expr={"panda_finger_.*": 0.0},
    )


@configclass
class ActionsCfg:
    """Left arm, left gripper, right arm, right gripper."""

    left_reach = _reach("left")
    left_grip = _grip("left")
    right_reach = _reach("right")
    right_grip = _grip("right")


def _term(function: Any, eef: str) -> ObservationTermCfg:
    return ObservationTermCfg(func=function, params={"eef": eef})


@configclass
class PolicyCfg(ObservationGroupCfg):
    """What a policy sees."""

    left_eef_pos = _term(eef_pos, "left")
    left_eef_quat = _term(eef_quat, "left")
    left_gripper_pos = _term(finger_positions, "left")
    left_cube = _term(cube_state, "left")
    right_eef_pos = _term(eef_pos, "right")
    right_eef_quat = _term(eef_quat, "right")
    right_gripper_pos = _term(finger_positions, "right")
    right_cube = _term(cube_state, "right")

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class SubtaskTermsCfg(ObservationGroupCfg):
    """Whether each subtask is done."""

    grasp_left = _term(grasped, "left")
    lift_left = _term(lifted, "left")
    grasp_right = _term(grasped, "right")
    lift_right = _term(lifted, "right")

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class ObservationsCfg:
    """Groups of observations."""

    policy = PolicyCfg()
    subtask_terms = SubtaskTermsCfg()


def _scatter(eef: str) -> EventTermCfg:
    return EventTermCfg(
        func=mdp.reset_root_state_uniform,
        mode="reset",
        params={
            "pose_range": {"x": (-0.04, 0.04), "y": (-0.04, 0.04), "yaw": (-0.15, 0.15)},
            "velocity_range": {},
            "asset_cfg": SceneEntityCfg(cube_of(eef)),
        },
    )


@configclass
class EventsCfg:
    """Resets."""

    everything = EventTermCfg(func=mdp.reset_scene_to_default, mode="reset")
    left_cube = _scatter("left")
    right_cube = _scatter("right")


@configclass
class TerminationsCfg:
    """When the task is done."""

    success = TerminationTermCfg(func=both_lifted)


@configclass
class TwoArmsEnvCfg(ManagerBasedRLEnvCfg, MimicEnvCfg):
    """Each arm lifts its cube by 10 cm and holds it there. 20 Hz control, as the stacking task."""

    scene: SceneCfg = SceneCfg(num_envs=1, env_spacing=2.5)
    observations: ObservationsCfg = ObservationsCfg()
    actions: ActionsCfg = ActionsCfg()
    events: EventsCfg = EventsCfg()
    terminations: TerminationsCfg = TerminationsCfg()
    rewards: Any = None

    def __post_init__(self):
        super().__post_init__()
        self.sim.dt = 0.01
        self.decimation = 5
        self.episode_length_s = 30.0
        self.subtask_configs = {
            eef: [
                SubTaskConfig(object_ref=cube_of(eef), subtask_term_signal=f"grasp_{eef}"),
                SubTaskConfig(object_ref=cube_of(eef), subtask_term_signal=f"lift_{eef}"),
            ]
            for eef in EEFS
        }
        self.datagen_config.name = TASK_ID


if TASK_ID not in gym.registry:
    gym.register(
        id=TASK_ID,
        entry_point=f"{__name__}:TwoArmsEnv",
        kwargs={"env_cfg_entry_point": f"{__name__}:TwoArmsEnvCfg"},
        disable_env_checker=True,
    )
