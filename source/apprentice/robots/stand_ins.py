"""Local stand-ins for the assets that stock Isaac Lab tasks load from NVIDIA's cloud.

`STAND_INS` is the one table: file name of the asset, and what takes its place. Sizes and origins are the asset's, so
that the task's own poses, ranges and thresholds keep their meaning.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

BLOCK_SIZE_M = 0.0406
"""Edge of the stock coloured blocks: they rest with their centre 0.0203 m above the table."""
BLOCK_MASS_KG = 0.064
DEX_CUBE_SIZE_M = 0.06
"""Edge of the stock dex cube, before the task's scale."""
TABLE_SIZE_M = (1.6, 1.0, 1.0)
"""Box for the Seattle lab table, in the asset's frame, whose origin is on the table top."""
GROUND_THICKNESS_M = 0.1
SO101_BASE_M = (0.0194, 0.0161, 0.0291)
"""Where the base link of the local SO-101 is in the frame of the cloud's, which faces along -y: there, the gripper is
where Isaac Lab's configuration says that it was measured."""
PACKING_TABLE_M = (2.0, 0.8, 0.9)
"""Box for the packing table."""
PACKING_TABLE_TOP_M = 0.986
"""Height of its top above the asset's origin: there, the steering wheel of the stock tasks lies where they put it."""
COLOURS = {"blue": (0.0, 0.0, 1.0), "red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "yellow": (1.0, 1.0, 0.0)}

StandIn = Callable[[Any, str], str]
"""Replaces the spawner of a scene entity (first argument) that loads the asset (second); returns what it put there."""


def stand_in(asset: str) -> StandIn | None:
    """What serves `asset`, or None if nothing does."""
    return next((serve for pattern, serve in STAND_INS if re.search(pattern, asset)), None)


def marker(asset: str) -> tuple[Any, str]:
    """Spawner for a visualisation marker, and its description. Markers have no physics, so any small shape will do."""
    import isaaclab.sim as sim_utils

    return sim_utils.SphereCfg(radius=0.02, visual_material=_colour(0.5, 0.5, 0.5)), "sphere"


def _panda(robot: Any, asset: str) -> str:
    from .franka import with_local_panda

    local = with_local_panda(robot)
    robot.spawn, robot.actuators = local.spawn, local.actuators
    return "Panda from example-robot-data"


def _ur10(robot: Any, asset: str) -> str:
    from .assets import UR10
    from .spawn import spawn_locally
    from .ur5e import ARMATURE

    spawn_locally(robot.spawn, UR10)
    for actuator in robot.actuators.values():
        actuator.armature = ARMATURE
    return "UR10 from example-robot-data"


def _so101(robot: Any, asset: str) -> str:
    from .assets import SO101
    from .so101 import local_actuators
    from .spawn import spawn_locally

    spawn_locally(robot.spawn, SO101)
    known = local_actuators()
    if all(actuator.stiffness is None for actuator in robot.actuators.values()):
        robot.actuators = known
    for name, actuator in robot.actuators.items():
        actuator.armature = known[name].armature
    x, y, z = robot.init_state.pos
    yaw = 2 * math.atan2(robot.init_state.rot[2], robot.init_state.rot[3])
    right, back, up = SO101_BASE_M
    robot.init_state.pos = (
        x + math.cos(yaw) * right - math.sin(yaw) * back,
        y + math.sin(yaw) * right + math.cos(yaw) * back,
        z + up,
    )
    yaw -= math.pi / 2
    robot.init_state.rot = (0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2))
    return "SO-101 from example-robot-data, whose base link faces along x"


def _gr1t2(robot: Any, asset: str) -> str:
    from .assets import GR1T2_WHOLE
    from .gr1t2 import gr1t2_cfg
    from .spawn import spawn_locally

    spawn_locally(robot.spawn, GR1T2_WHOLE)
    ours = gr1t2_cfg().actuators
    for name in [name for name in robot.actuators if name.endswith("-hand")]:
        del robot.actuators[name]  # the gains of fingers stand in the cloud model
    robot.actuators |= {name: ours[name] for name in ours if "fingers" in name or name == "thumbs"}
    robot.actuators |= _standing(("head_.*", ".*_hip_.*", ".*_knee_.*", ".*_ankle_.*"))
    return "GR1T2 from fourier-robot-descriptions; its legs touch nothing, each finger joint moves on its own"


def _g1(robot: Any, asset: str) -> str:
    from .assets import G1_WHOLE
    from .spawn import spawn_locally

    spawn_locally(robot.spawn, G1_WHOLE)
    return "G1 with Dex3 hands from example-robot-data, standing fixed; its legs touch nothing"


def _standing(joints: tuple[str, ...]) -> dict[str, Any]:
    """Gains of joints that only have to stay where they are."""
    from isaaclab.actuators import ImplicitActuatorCfg

    held = ImplicitActuatorCfg(joint_names_expr=list(joints), stiffness=1000.0, damping=50.0, armature=0.03)
    return {"standing": held}


def kinematics(asset: str) -> tuple[str, str] | None:
    """File for a solver that loads its robot from `asset`, and what it holds; None if nothing serves it."""
    for pattern, model, prefix in _kinematics():
        if re.search(pattern, asset):
            from .assets import kinematics_path

            return str(kinematics_path(model, prefix)), f"kinematics of {model.name}"
    return None


def _kinematics() -> tuple[tuple[str, Any, str], ...]:
    """Asset file name (regular expression), model, and what link names begin with in the asset."""
    from .assets import G1_WHOLE, GR1T2_WHOLE

    return (
        (r"/GR1T2_fourier_hand_6dof\.usd$", GR1T2_WHOLE, ""),
        (r"/g1_29dof_with_hand_only_kinematics\.urdf$", G1_WHOLE, "g1_29dof_with_hand_rev_1_0_"),
    )


def _steering_wheel(body: Any, asset: str) -> str:
    from .props import RIM_M, WHEEL_M, steering_wheel_usd

    body.spawn.usd_path = str(steering_wheel_usd())
    width, _, height = _scaled((WHEEL_M, WHEEL_M, RIM_M), body.spawn)
    return f"steering wheel of boxes, {width * 100:.0f} cm wide, {height * 1000:.0f} mm high"


def _packing_table(table: Any, asset: str) -> str:
    x, y, z = table.init_state.pos
    top = z + PACKING_TABLE_TOP_M
    table.init_state.pos = (x, y, top)
    size = _box_below(table, PACKING_TABLE_M, colour=(0.6, 0.55, 0.5))
    return f"box {size[0]:.1f} x {size[1]:.1f} x {size[2]:.1f} m, top at {top:.2f} m"


def _block(body: Any, asset: str) -> str:
    colour = next(rgb for name, rgb in COLOURS.items() if f"/{name}_block" in asset)
    return _cube(body, BLOCK_SIZE_M, colour)


def _dex_cube(body: Any, asset: str) -> str:
    return _cube(body, DEX_CUBE_SIZE_M, (0.8, 0.6, 0.2))


def _cube(body: Any, edge_m: float, colour: tuple[float, float, float]) -> str:
    import isaaclab.sim as sim_utils

    stock = body.spawn
    size = _scaled((edge_m,) * 3, stock)
    body.spawn = sim_utils.CuboidCfg(
        size=size,
        rigid_props=stock.rigid_props or sim_utils.UsdPhysicsRigidBodyCfg(),
        mass_props=stock.mass_props or sim_utils.MassPropertiesCfg(mass=BLOCK_MASS_KG),
        collision_props=stock.collision_props or sim_utils.UsdPhysicsCollisionCfg(),
        activate_contact_sensors=stock.activate_contact_sensors,
        physics_material=_rubber(),
        visual_material=_colour(*colour),
        semantic_tags=stock.semantic_tags,
    )
    return f"cube, {size[0] * 1000:.1f} mm"


def _table(table: Any, asset: str) -> str:
    top = table.init_state.pos[2]
    size = _box_below(table, _scaled(TABLE_SIZE_M, table.spawn), colour=(0.6, 0.55, 0.5))
    return f"box {size[0]:.1f} x {size[1]:.1f} x {size[2]:.1f} m, top at {top:.2f} m"


def _ground(ground: Any, asset: str) -> str:
    top = ground.init_state.pos[2]
    width, depth = getattr(ground.spawn, "size", (100.0, 100.0))
    _box_below(ground, (width, depth, GROUND_THICKNESS_M), colour=(0.3, 0.3, 0.3))
    return f"box, top at {top:.2f} m"


def _box_below(
    entity: Any, size: tuple[float, float, float], colour: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Static box whose top is where the entity's origin was."""
    import isaaclab.sim as sim_utils

    x, y, z = entity.init_state.pos
    entity.init_state.pos = (x, y, z - size[2] / 2)
    entity.spawn = sim_utils.CuboidCfg(
        size=size,
        collision_props=sim_utils.UsdPhysicsCollisionCfg(),
        physics_material=_rubber(),
        visual_material=_colour(*colour),
        semantic_tags=entity.spawn.semantic_tags,
    )
    return size


def _scaled(size: tuple[float, ...], spawn: Any) -> tuple[float, float, float]:
    x, y, z = (edge * factor for edge, factor in zip(size, spawn.scale or (1.0, 1.0, 1.0), strict=True))
    return x, y, z


def _rubber() -> Any:
    import isaaclab.sim as sim_utils

    return sim_utils.RigidBodyMaterialCfg(static_friction=1.0, dynamic_friction=1.0)


def _colour(red: float, green: float, blue: float) -> Any:
    import isaaclab.sim as sim_utils

    return sim_utils.PreviewSurfaceCfg(diffuse_color=(red, green, blue))


STAND_INS: tuple[tuple[str, StandIn], ...] = (
    (r"/(panda_instanceable\.usd|franka_panda\.usda)$", _panda),
    (r"/ur10_instanceable\.usd$", _ur10),
    (r"/so101_new_calib\.usda$", _so101),
    (r"/GR1T2_fourier_hand_6dof\.usd$", _gr1t2),
    (r"/Unitree/G1/g1\.usd$", _g1),
    (r"/steering_wheel\.usd$", _steering_wheel),
    (r"/packing_table\.usd$", _packing_table),
    (r"/(blue|red|green|yellow)_block\.usd$", _block),
    (r"/dex_cube_instanceable\.usd$", _dex_cube),
    (r"/SeattleLabTable/table_instanceable\.usd$", _table),
    (r"/default_ground_plane\.usda?$", _ground),
)
"""Asset file name (regular expression) and what stands in for it. Serve another asset by adding a line."""
