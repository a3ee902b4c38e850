"""Spawner of the socket: a block with a square hole through it, made of four boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isaaclab.sim import schemas
from isaaclab.sim.spawners.materials.physics_materials import spawn_physics_material
from isaaclab.sim.spawners.shapes.shapes_cfg import ShapeCfg
from isaaclab.sim.spawners.utils import apply_schema_props
from isaaclab.sim.utils import bind_physics_material, bind_visual_material, clone, create_prim, get_current_stage
from isaaclab.utils import configclass


@clone
def spawn_socket(
    prim_path: str,
    cfg: SocketCfg,
    translation: tuple[float, float, float] | None = None,
    orientation: tuple[float, float, float, float] | None = None,
    **_: Any,
) -> Any:
    """Create the socket at a prim path, its origin in the middle of the block. Returns the prim.

    Args:
        prim_path: Where.
        cfg: Which one.
        translation: Position in the parent's frame (m).
        orientation: Quaternion xyzw in the parent's frame.
    """
    root = create_prim(prim_path, prim_type="Xform", translation=translation, orientation=orientation)
    middle, length = (cfg.hole_m + cfg.wall_m) / 2, cfg.hole_m + 2 * cfg.wall_m
    along_x, along_y = (cfg.hole_m, cfg.wall_m, cfg.height_m), (cfg.wall_m, length, cfg.height_m)
    walls = {"front": ((middle, 0.0, 0.0), along_y), "back": ((-middle, 0.0, 0.0), along_y)}
    walls |= {"left": ((0.0, middle, 0.0), along_x), "right": ((0.0, -middle, 0.0), along_x)}
    look: Any = cfg.visual_material
    look.func(f"{prim_path}/look", look)
    surface: Any = cfg.physics_material
    spawn_physics_material(f"{prim_path}/surface", surface)
    stage = get_current_stage()
    for name, (position, size) in walls.items():
        wall = f"{prim_path}/geometry/{name}"
        create_prim(wall, "Cube", translation=position, scale=size, attributes={"size": 1.0})
        apply_schema_props(
            cfg.collision_props, wall, schemas.apply_collision_properties, schemas.define_collision_properties, stage
        )
        bind_physics_material(wall, f"{prim_path}/surface")
        bind_visual_material(wall, f"{prim_path}/look")
    apply_schema_props(
        cfg.rigid_props, prim_path, schemas.apply_rigid_body_properties, schemas.define_rigid_body_properties, stage
    )
    return root


@configclass
class SocketCfg(ShapeCfg):
    func: Callable[..., Any] = spawn_socket
    hole_m: float = 0.022
    """Edge of the hole (m)."""
    wall_m: float = 0.02
    """Thickness of the walls (m)."""
    height_m: float = 0.04
    """Height of the block and depth of the hole (m)."""
