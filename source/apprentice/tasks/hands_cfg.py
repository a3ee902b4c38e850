"""What tasks have in common whose objects are scattered over a table in front of one or several hands."""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any

import isaaclab.envs.mdp as mdp
import isaaclab.sim as sim_utils
from isaaclab.assets import AssetBaseCfg, RigidObjectCfg
from isaaclab.envs import ManagerBasedRLEnvCfg
from isaaclab.envs.mimic_env_cfg import MimicEnvCfg
from isaaclab.managers import EventTermCfg, ObservationTermCfg, SceneEntityCfg
from isaaclab.utils import configclass

from apprentice.tasks.mimic import require_variant, set_up_generation

Ranges = dict[str, tuple[float, float]]
"""Lowest and highest x, y (m, environment frame) and yaw (rad)."""

_RUBBER = sim_utils.RigidBodyMaterialCfg(static_friction=1.0, dynamic_friction=1.0)


def box(
    name: str,
    size_m: tuple[float, float, float],
    mass_kg: float,
    colour: tuple[float, float, float],
    *,
    yaw_rad: float = 0.0,
) -> RigidObjectCfg:
    """A box that lies on the table, turned by an angle about the vertical axis."""
    return RigidObjectCfg(
        prim_path=f"{{ENV_REGEX_NS}}/{name.capitalize()}",
        init_state=RigidObjectCfg.InitialStateCfg(
            pos=(0.5, 0.0, size_m[2] / 2), rot=(0.0, 0.0, math.sin(yaw_rad / 2), math.cos(yaw_rad / 2))
        ),
        spawn=sim_utils.CuboidCfg(
            size=size_m,
            rigid_props=sim_utils.UsdPhysicsRigidBodyCfg(),
            mass_props=sim_utils.MassPropertiesCfg(mass=mass_kg),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            physics_material=_RUBBER,
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=colour),
        ),
    )


def table(size_m: tuple[float, float, float], centre_x_m: float) -> AssetBaseCfg:
    """A table whose top is at height 0."""
    return AssetBaseCfg(
        prim_path="{ENV_REGEX_NS}/Table",
        init_state=AssetBaseCfg.InitialStateCfg(pos=(centre_x_m, 0.0, -size_m[2] / 2)),
        spawn=sim_utils.CuboidCfg(
            size=size_m,
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            physics_material=_RUBBER,
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.6, 0.55, 0.5)),
        ),
    )


def light() -> AssetBaseCfg:
    """Light from everywhere."""
    return AssetBaseCfg(prim_path="/World/light", spawn=sim_utils.DomeLightCfg(intensity=3000.0))


def observed(function: Any, **params: Any) -> ObservationTermCfg:
    """An observation term."""
    return ObservationTermCfg(func=function, params=params)


@configclass
class HandsEventsCfg:
    """Resets: everything to where it begins. `HandsTaskCfg.apply_variant` adds what is drawn."""

    everything = EventTermCfg(func=mdp.reset_scene_to_default, mode="reset")


@configclass
class HandsTaskCfg(ManagerBasedRLEnvCfg, MimicEnvCfg):
    """20 Hz control, as the stacking task."""

    events: Any = HandsEventsCfg()
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
    """Order of each object's rotational symmetry about its vertical axis; 1 for those that are not named."""
    loose_objects: tuple[str, ...] = ()
    """Objects that no subtask is about and nobody follows, such as a second table that resets move."""

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
        self.object_symmetry = {key: self.object_symmetry.get(key, 1) for key in self.variant_ranges["d0"]}
        self.apply_variant(self.variant)
        mimic: Any = self.datagen_config
        set_up_generation(mimic, name)
        mimic.generation_select_src_per_arm = True

    def apply_variant(self, name: str) -> None:
        """Draw resets from the ranges of variant `name`.

        Raises:
            UserError: If there is no such variant.
        """
        require_variant(name, self.variant_ranges)
        self.variant, self.object_reset_ranges = name, self.variant_ranges[name]
        for key, ranges in self.object_reset_ranges.items():
            start = getattr(self.scene, key).init_state
            from_default = {"x": start.pos[0], "y": start.pos[1], "yaw": 2 * math.atan2(start.rot[2], start.rot[3])}
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
