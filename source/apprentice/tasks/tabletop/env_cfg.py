"""What table-top tasks share: observations, resets and Mimic settings; with a Franka Panda, Isaac Lab's robot, table,
actions and rates. docs/tasks.md shows how a task is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from isaaclab.assets import RigidObjectCfg
from isaaclab.envs.mimic_env_cfg import MimicEnvCfg
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

from apprentice.sim.localise import swap_assets
from apprentice.tasks import readings
from apprentice.tasks.mimic import require_variant, set_up_generation, subtask
from apprentice.tasks.tabletop.mdp import events, observations
from apprentice.tasks.tabletop.mdp.events import Ranges

LOWEST_M = -0.05
"""Height below which an object has fallen from the table."""


@dataclass(kw_only=True, frozen=True)
class Subtask:
    """One object-centric part of a task."""

    about: str
    """The object that it is about."""
    does: str
    """What is done, in words."""
    signal: str | None = None
    """Name of the signal of its end; None for the last, which ends with the task."""
    done: ObservationTermCfg | None = None
    """When it is done, shape (N,), bool: what that signal tells."""
    noise: float = 0.03
    """Noise on generated actions (m and rad), standard deviation, away from contact."""


@configclass
class TabletopSceneCfg(ObjectTableSceneCfg):
    """Isaac Lab's robot and table without its cubes. The top of the table is at height 0."""

    cube_1: RigidObjectCfg | None = None
    cube_2: RigidObjectCfg | None = None
    cube_3: RigidObjectCfg | None = None


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
    """Whether each subtask is done. `TabletopTaskCfg.define` fills it."""

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class ObservationsCfg:
    """Groups of observations."""

    policy: PolicyCfg = PolicyCfg()
    subtask_terms: SubtaskTermsCfg = SubtaskTermsCfg()


@configclass
class TerminationsCfg:
    """When an episode ends. `TabletopTaskCfg.define` adds success and what falls from the table."""

    time_out = TerminationTermCfg(func=mdp.time_out, time_out=True)


@configclass
class TabletopTaskCfg(MimicEnvCfg):
    """A task on a table, whatever arm does it.

    Comes after one of Isaac Lab's stacking configurations among the bases of a task, which states its scene,
    `observations` and `terminations`, and calls `define` in its `__post_init__`.
    """

    eef: str = "franka"
    """What the end effector is called."""
    variants: tuple[str, ...] = ()
    """What `apply_variant` takes."""
    variant: str = "d0"
    """Which variant resets draw from. Set it with `apply_variant`."""
    variant_ranges: dict[str, Mapping[str, Ranges]] = field(default_factory=dict)
    """Per variant and object, what resets draw."""
    object_reset_ranges: Mapping[str, Ranges] = field(default_factory=dict)
    """What resets draw at present."""
    articulated_objects: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Objects that are links of something articulated: its name in the scene, and the link's."""
    loose_objects: tuple[str, ...] = ()
    """Rigid objects that nobody keeps track of one by one, such as what a cup is full of: no subtask is about them,
    policies do not see their poses, and plans do not avoid them."""
    beyond_reach: tuple[str, ...] = ()
    """Objects that no hand has to reach: a tool does."""
    object_symmetry: dict[str, int] = field(default_factory=dict)
    """Order of each object's rotational symmetry about its vertical axis."""

    def define(
        self,
        name: str,
        *,
        subtasks: tuple[Subtask, ...],
        success: TerminationTermCfg,
        variants: dict[str, Mapping[str, Ranges]],
        footprints_m: Mapping[str, float],
        symmetry: Mapping[str, int],
    ) -> None:
        """Say what the task is.

        Args:
            name: Its id.
            subtasks: Its parts, in order.
            success: When it is done; true as long as it is.
            variants: By name, ranges that resets draw each object's x, y (m, environment frame) and yaw (rad) from.
            footprints_m: Radius about each object's centre that resets leave to it alone.
            symmetry: Order of objects' rotational symmetry about their vertical axis; 1 where missing.
        """
        env: Any = self  # the other base has the scene, observations and events
        swap_assets(env)
        env.scene.ee_frame = None  # poses are read from the hand's link
        for part in subtasks:
            if part.signal is not None:
                setattr(env.observations.subtask_terms, part.signal, part.done)
        self._end_with(success)
        self.variants, self.variant_ranges = tuple(variants), variants
        self.object_symmetry = {key: symmetry.get(key, 1) for key in variants["d0"]}
        env.events.randomize_cube_positions = None
        env.events.reset_objects = EventTermCfg(
            func=events.reset_objects, mode="reset", params={"pose_ranges": {}, "footprints_m": dict(footprints_m)}
        )
        self.apply_variant(self.variant)
        self.subtask_configs = {
            self.eef: [
                subtask(
                    part.about, part.signal, part.does, noise=part.noise, offsets=(5, 10) if part.signal else (0, 0)
                )
                for part in subtasks
            ]
        }
        mimic: Any = self.datagen_config
        set_up_generation(mimic, name)
        mimic.generation_relative = True

    def apply_variant(self, name: str) -> None:
        """Draw resets from the ranges of variant `name`.

        Raises:
            UserError: If there is no such variant.
        """
        require_variant(name, self.variant_ranges)
        self.variant, self.object_reset_ranges = name, self.variant_ranges[name]
        env: Any = self
        env.events.reset_objects.params["pose_ranges"] = self.object_reset_ranges

    def _end_with(self, success: TerminationTermCfg) -> None:
        env: Any = self
        for key, body in vars(env.scene).items():
            spawn: Any = getattr(body, "spawn", None)
            if not isinstance(body, RigidObjectCfg) or key in self.loose_objects:
                continue
            if not getattr(spawn.rigid_props, "kinematic_enabled", False):
                fallen = {"minimum_height": LOWEST_M, "asset_cfg": SceneEntityCfg(key)}
                term = TerminationTermCfg(func=mdp.root_height_below_minimum, params=fallen)
                setattr(env.terminations, f"{key}_dropping", term)
        env.terminations.success = success


@configclass
class TabletopFrankaEnvCfg(FrankaCubeStackEnvCfg, TabletopTaskCfg):
    """A task on the table of a Franka Panda. It sets its scene, and calls `define` in its `__post_init__`."""

    class_type: type | str = "apprentice.tasks.tabletop.env:TabletopFrankaEnv"
    scene: Any = TabletopSceneCfg(num_envs=1, env_spacing=2.5, replicate_physics=False)
    observations: Any = ObservationsCfg()
    terminations: Any = TerminationsCfg()
