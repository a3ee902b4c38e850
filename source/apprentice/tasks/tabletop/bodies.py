"""Objects for table-top tasks, made of primitives: no files, the same on every backend."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import isaaclab.sim as sim_utils
from isaaclab.assets import RigidObjectCfg
from isaaclab.sim import schemas
from isaaclab.sim.spawners.materials.physics_materials import spawn_physics_material
from isaaclab.sim.spawners.shapes.shapes_cfg import ShapeCfg
from isaaclab.sim.spawners.utils import apply_schema_props
from isaaclab.sim.utils import bind_physics_material, bind_visual_material, clone, create_prim, get_current_stage
from isaaclab.utils import configclass
from isaaclab_newton.sim.schemas import MujocoCollisionCfg

Triple = tuple[float, float, float]

TABLE_GAP_M = 0.0002
"""Height of what stands fast above the table: it does not touch it, so nobody computes the contact of two fixed
bodies."""

_CONTACT_S = 0.006
"""How fast an object is pushed out of a finger."""


@configclass
class Part:
    """A box of a compound body. Boxes only: cylinders keep rocking on MuJoCo's flat ground."""

    at_m: Triple = (0.0, 0.0, 0.0)
    """Its centre in the body's frame."""
    size_m: Triple = (0.04, 0.04, 0.04)
    """Its edges."""
    colour: Triple = (0.5, 0.5, 0.5)
    """Red, green and blue, 0 to 1."""
    yaw_rad: float = 0.0
    """Turn about the vertical axis."""


@clone
def spawn_compound(
    prim_path: str,
    cfg: CompoundCfg,
    translation: tuple[float, float, float] | None = None,
    orientation: tuple[float, float, float, float] | None = None,
    **_: Any,
) -> Any:
    """Create a rigid body of several parts at a prim path. Returns the prim.

    Args:
        prim_path: Where.
        cfg: Which one.
        translation: Position in the parent's frame (m).
        orientation: Quaternion xyzw in the parent's frame.
    """
    root = create_prim(prim_path, prim_type="Xform", translation=translation, orientation=orientation)
    add_parts(prim_path, cfg.parts, cfg)
    stage = get_current_stage()
    apply_schema_props(
        cfg.rigid_props, prim_path, schemas.apply_rigid_body_properties, schemas.define_rigid_body_properties, stage
    )
    if cfg.mass_props is not None:
        apply_schema_props(
            cfg.mass_props, prim_path, schemas.apply_mass_properties, schemas.define_mass_properties, stage
        )
    return root


def add_parts(prim_path: str, parts: tuple[Part, ...], cfg: ShapeCfg) -> None:
    """Add parts to the prim of a body: shapes that collide, with their looks and surface."""
    surface: Any = cfg.physics_material
    spawn_physics_material(f"{prim_path}/surface", surface)
    stage = get_current_stage()
    looks: dict[Triple, str] = {}
    for number, part in enumerate(parts):
        if part.colour not in looks:
            looks[part.colour] = f"{prim_path}/look_{len(looks)}"
            look = sim_utils.PreviewSurfaceCfg(diffuse_color=part.colour)
            func: Any = look.func
            func(looks[part.colour], look)
        path = f"{prim_path}/geometry/part_{number}"
        turn = (0.0, 0.0, math.sin(part.yaw_rad / 2), math.cos(part.yaw_rad / 2))
        create_prim(path, "Cube", translation=part.at_m, orientation=turn, scale=part.size_m, attributes={"size": 1.0})
        apply_schema_props(
            cfg.collision_props, path, schemas.apply_collision_properties, schemas.define_collision_properties, stage
        )
        bind_physics_material(path, f"{prim_path}/surface")
        bind_visual_material(path, looks[part.colour])


@configclass
class CompoundCfg(ShapeCfg):
    """A rigid body of several parts."""

    func: Callable[..., Any] = spawn_compound
    parts: tuple[Part, ...] = ()
    """What it is made of."""


def free(name: str, parts: tuple[Part, ...], *, mass_kg: float, friction: float = 1.0, at_m: Triple) -> RigidObjectCfg:
    """An object that can be moved.

    Args:
        name: Its name in the scene.
        parts: What it is made of.
        mass_kg: Its mass.
        friction: Coefficient of friction of its surface.
        at_m: Where it stands by default, in the environment's frame. Resets keep the height.
    """
    return _object(
        name,
        at_m,
        CompoundCfg(
            parts=parts,
            rigid_props=sim_utils.UsdPhysicsRigidBodyCfg(),
            mass_props=sim_utils.MassPropertiesCfg(mass=mass_kg),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            physics_material=_surface(friction),
            semantic_tags=[("class", name)],
        ),
    )


def fixed(name: str, parts: tuple[Part, ...], *, friction: float = 1.0, at_m: Triple) -> RigidObjectCfg:
    """An object that nothing moves but a reset. Arguments as of `free`."""
    return _object(
        name,
        at_m,
        CompoundCfg(
            parts=parts,
            rigid_props=sim_utils.UsdPhysicsRigidBodyCfg(kinematic_enabled=True),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            physics_material=_surface(friction),
            semantic_tags=[("class", name)],
        ),
    )


def firm(body: RigidObjectCfg) -> RigidObjectCfg:
    """An object, changed in place, into which fingers do not sink.

    MuJoCo's contacts give way in proportion to the force on a body's mass: hands that are strong for a light object
    would sink in by a centimetre, let it creep, and throw it when they open.
    """
    spawn: Any = body.spawn
    spawn.collision_props = [
        sim_utils.UsdPhysicsCollisionCfg(),
        MujocoCollisionCfg(priority=1, solref=(_CONTACT_S, 1.0)),
    ]
    return body


def cuboid(size_m: Triple, colour: Triple) -> tuple[Part, ...]:
    """A box around the body's origin."""
    return (Part(size_m=size_m, colour=colour),)


def hexagon(width_m: float, height_m: float, colour: Triple) -> tuple[Part, ...]:
    """A standing prism with six sides around the body's origin: three boxes, each between two of them.

    Args:
        width_m: From side to side. One pair faces along y.
        height_m: Its height.
        colour: Red, green and blue, 0 to 1.
    """
    size = (width_m / math.sqrt(3), width_m, height_m)
    return tuple(Part(size_m=size, colour=colour, yaw_rad=k * math.pi / 3) for k in range(3))


def square_ring(hole_m: float, wall_m: float, height_m: float, colour: Triple) -> tuple[Part, ...]:
    """A block with a square hole through it, around the body's origin.

    Args:
        hole_m: Edge of the hole.
        wall_m: Thickness of the walls.
        height_m: Height of the block.
        colour: Red, green and blue, 0 to 1.
    """
    middle, length = (hole_m + wall_m) / 2, hole_m + 2 * wall_m
    walls = [((sign * middle, 0.0, 0.0), (wall_m, length, height_m)) for sign in (1, -1)]
    walls += [((0.0, sign * middle, 0.0), (hole_m, wall_m, height_m)) for sign in (1, -1)]
    return tuple(Part(at_m=at_m, size_m=size_m, colour=colour) for at_m, size_m in walls)


def _object(name: str, at_m: Triple, spawn: CompoundCfg) -> RigidObjectCfg:
    path = "{ENV_REGEX_NS}/" + name.title().replace("_", "")
    return RigidObjectCfg(prim_path=path, init_state=RigidObjectCfg.InitialStateCfg(pos=at_m), spawn=spawn)


def _surface(friction: float) -> sim_utils.RigidBodyMaterialCfg:
    return sim_utils.RigidBodyMaterialCfg(static_friction=friction, dynamic_friction=friction)
