"""Articulated objects for table-top tasks: a base that stands fast, and a part that slides in it along its x axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import isaaclab.sim as sim_utils
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg
from isaaclab.sim import schemas
from isaaclab.sim.spawners.shapes.shapes_cfg import ShapeCfg
from isaaclab.sim.utils import clone, create_prim, get_current_stage
from isaaclab.utils import configclass
from isaaclab_newton.sim.schemas import NewtonArticulationCfg
from isaaclab_physx.sim.schemas import PhysxArticulationCfg

from .bodies import Part, Triple, add_parts

BASE, SLIDER, JOINT = "base", "slider", "slide"
"""Names of the links and of the joint. The links' frames coincide where the joint is at 0."""


@clone
def spawn_slide(
    prim_path: str,
    cfg: SlideCfg,
    translation: tuple[float, float, float] | None = None,
    orientation: tuple[float, float, float, float] | None = None,
    **_: Any,
) -> Any:
    """Create the two bodies and their joint at a prim path. Returns the prim.

    Args:
        prim_path: Where.
        cfg: Which one.
        translation: Position in the parent's frame (m).
        orientation: Quaternion xyzw in the parent's frame.
    """
    from pxr import UsdPhysics

    root, stage = create_prim(prim_path, "Xform", translation=translation, orientation=orientation), get_current_stage()
    for link, parts, mass_kg in ((BASE, cfg.base, cfg.base_kg), (SLIDER, cfg.slider, cfg.slider_kg)):
        path = f"{prim_path}/{link}"
        UsdPhysics.RigidBodyAPI.Apply(create_prim(path, "Xform"))
        mass: Any = UsdPhysics.MassAPI.Apply(stage.GetPrimAtPath(path))
        mass.CreateMassAttr(mass_kg)
        add_parts(path, parts, cfg)
    joint: Any = UsdPhysics.PrismaticJoint.Define(stage, f"{prim_path}/{JOINT}")
    joint.CreateBody0Rel().SetTargets([f"{prim_path}/{BASE}"])
    joint.CreateBody1Rel().SetTargets([f"{prim_path}/{SLIDER}"])
    joint.CreateAxisAttr("X")
    joint.CreateLowerLimitAttr(cfg.travel_m[0])
    joint.CreateUpperLimitAttr(cfg.travel_m[1])
    UsdPhysics.DriveAPI.Apply(joint.GetPrim(), "linear")  # PhysX only damps a joint that has one
    fragments = [
        PhysxArticulationCfg(enabled_self_collisions=False),
        NewtonArticulationCfg(self_collision_enabled=False),
    ]
    schemas.apply_articulation_root_properties(
        f"{prim_path}/{BASE}", fragments, fix_root_link=True, create_if_missing=True
    )
    return root


@configclass
class SlideCfg(ShapeCfg):
    """A base, and a part that slides in it."""

    func: Callable[..., Any] = spawn_slide
    base: tuple[Part, ...] = ()
    """What stands fast."""
    slider: tuple[Part, ...] = ()
    """What slides."""
    base_kg: float = 2.0
    """Mass of the base."""
    slider_kg: float = 0.3
    """Mass of the slider."""
    travel_m: tuple[float, float] = (-0.1, 0.0)
    """From where to where it slides, along x."""


def sliding(
    name: str,
    base: tuple[Part, ...],
    slider: tuple[Part, ...],
    *,
    travel_m: tuple[float, float],
    damping_n_s_m: float,
    friction: float = 1.0,
    at_m: Triple,
) -> ArticulationCfg:
    """An object with a part that slides.

    Args:
        name: Its name in the scene.
        base: What stands fast.
        slider: What slides.
        travel_m: From where to where, along x.
        damping_n_s_m: What it takes to move it.
        friction: Coefficient of friction of its surface.
        at_m: Where it stands by default, in the environment's frame. Resets keep the height.
    """
    return ArticulationCfg(
        prim_path="{ENV_REGEX_NS}/" + name.title().replace("_", ""),
        init_state=ArticulationCfg.InitialStateCfg(pos=at_m, joint_pos={JOINT: 0.0}),
        spawn=SlideCfg(
            base=base,
            slider=slider,
            travel_m=travel_m,
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            physics_material=sim_utils.RigidBodyMaterialCfg(static_friction=friction, dynamic_friction=friction),
        ),
        actuators={
            JOINT: ImplicitActuatorCfg(joint_names_expr=[JOINT], stiffness=0.0, damping=damping_n_s_m, armature=0.1)
        },
    )
