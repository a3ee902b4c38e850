"""Stock Isaac Lab tasks without the cloud: swaps every asset of a task configuration for a stand-in made here.

Stock tasks name their robots, blocks and tables by address in NVIDIA's asset store. `STAND_INS` maps those file names to
local robots and primitives of the same size. What has no stand-in is an error that names it, never a missing prim.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from apprentice.errors import UserError

PRESETS: dict[str, tuple[str, ...]] = {
    "native": ("newton_mjwarp",),
    "newton": ("newton_mjwarp",),
    "ovphysx": ("ovphysx", "physx"),
    "isaacsim": ("isaacsim_physx", "physx"),
}
"""Isaac Lab preset names that a backend selects where a task offers alternatives, best first."""

BLOCK_SIZE_M = 0.0406
"""Edge of the stock coloured blocks: they rest with their centre 0.0203 m above the table."""
DEX_CUBE_SIZE_M = 0.06
"""Edge of the stock dex cube, before the task's scale."""
TABLE_SIZE_M = (1.6, 1.0, 1.0)
"""Stand-in for the Seattle lab table, in the asset's frame, whose origin is on the table top."""
COLOURS = {"blue": (0.0, 0.0, 1.0), "red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "yellow": (1.0, 1.0, 0.0)}


@dataclass(kw_only=True, frozen=True)
class Substitution:
    """One asset that was swapped."""

    where: str
    """Place in the task configuration, such as `scene.cube_1`."""
    asset: str
    """The cloud asset, from the store's root on."""
    stand_in: str
    """What takes its place."""


def localise(env_cfg: Any, backend: str = "native") -> list[Substitution]:
    """Make `env_cfg` run without the cloud. Changes it in place and says what was changed.

    Also settles the configuration's presets (alternatives by backend), since they decide which assets are used.

    Raises:
        UserError: If some asset has no local stand-in; the message names all of them.
    """
    from isaaclab_tasks.utils import resolve_presets

    resolve_presets(env_cfg, PRESETS[backend][:1])
    done: list[Substitution] = []
    for where, node in list(_nodes(env_cfg)):
        done += [Substitution(where=where, asset=_short(asset), stand_in=new) for asset, new in _substitute(node)]
    missing = sorted({f"{_short(text)} ({where})" for where, text in _strings(env_cfg) if is_cloud(text)})
    if missing:
        raise UserError(
            f"Expected a local stand-in for every cloud asset of this task, found none for {', '.join(missing)}: choose "
            "another task (`apprentice tasks` lists those that run here), or set ISAACSIM_ASSET_ROOT to a local copy of "
            "the Isaac Sim assets."
        )
    return done


def is_cloud(text: str) -> bool:
    """Whether `text` is the address of an asset that is not on this machine."""
    from isaaclab.utils.assets import NUCLEUS_ASSET_ROOT_DIR

    remote = text.startswith(("http://", "https://", "omniverse://"))
    return (remote or text.startswith(NUCLEUS_ASSET_ROOT_DIR)) and not os.path.exists(text)


def _short(asset: str) -> str:
    from isaaclab.utils.assets import NUCLEUS_ASSET_ROOT_DIR

    return asset.removeprefix(NUCLEUS_ASSET_ROOT_DIR)


def _nodes(cfg: Any, path: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """Every configuration object below `cfg`, each once, with its dotted path."""
    seen = set() if seen is None else seen
    if id(cfg) in seen or not (isinstance(cfg, (dict, list, tuple)) or hasattr(cfg, "__dataclass_fields__")):
        return
    seen.add(id(cfg))
    if not isinstance(cfg, (dict, list, tuple)):
        yield path, cfg
    for key, value in _items(cfg):
        yield from _nodes(value, f"{path}.{key}" if path else str(key), seen)


def _items(cfg: Any) -> list[tuple[Any, Any]]:
    if isinstance(cfg, (list, tuple)):
        return list(enumerate(cfg))
    return list((cfg if isinstance(cfg, dict) else vars(cfg)).items())


def _strings(cfg: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string below `cfg` with the path of what holds it."""
    for where, node in _nodes(cfg, path):
        yield from ((where, text) for text in _plain_strings(vars(node)))


def _plain_strings(value: Any) -> Iterator[str]:
    """Strings in `value` and in the containers in it, not entering configuration objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _plain_strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _plain_strings(item)


def _substitute(node: Any) -> Iterator[tuple[str, str]]:
    """Swap the cloud assets that `node` itself names. Yields (asset, stand-in)."""
    spawn = getattr(node, "spawn", None)
    asset = getattr(spawn, "usd_path", None)
    if isinstance(asset, str) and is_cloud(asset) and (rule := _rule(asset)) is not None:
        yield asset, rule(node, asset)
    for name, marker in (getattr(node, "markers", None) or {}).items():
        asset = getattr(marker, "usd_path", None)
        if isinstance(asset, str) and is_cloud(asset):
            node.markers[name], text = _marker(asset)
            yield asset, text
    texture = getattr(node, "texture_file", None)
    if isinstance(texture, str) and is_cloud(texture):
        node.texture_file = None
        yield texture, "plain light"


StandIn = Callable[[Any, str], str]
"""Gives the configuration that names the asset a local spawner, and says in words what it is."""


def _rule(asset: str) -> StandIn | None:
    return next((stand_in for pattern, stand_in in STAND_INS if re.search(pattern, asset)), None)


def _panda(robot: Any, asset: str) -> str:
    from apprentice.robots.franka import with_local_panda

    local = with_local_panda(robot)
    robot.spawn, robot.actuators = local.spawn, local.actuators
    return "Panda from example-robot-data"


def _block(body: Any, asset: str) -> str:
    match = re.search(r"(\w+)_block", asset)
    assert match is not None
    colour = match[1].split("_")[-1]
    return _cube(body, BLOCK_SIZE_M, COLOURS[colour], mass_kg=0.064)


def _dex_cube(body: Any, asset: str) -> str:
    return _cube(body, DEX_CUBE_SIZE_M, (0.8, 0.6, 0.2), mass_kg=0.064)


def _cube(body: Any, edge_m: float, colour: tuple[float, float, float], mass_kg: float) -> str:
    import isaaclab.sim as sim_utils

    stock = body.spawn
    size = tuple(edge_m * factor for factor in stock.scale or (1.0, 1.0, 1.0))
    body.spawn = sim_utils.CuboidCfg(
        size=size,
        rigid_props=stock.rigid_props or sim_utils.UsdPhysicsRigidBodyCfg(),
        mass_props=stock.mass_props or sim_utils.MassPropertiesCfg(mass=mass_kg),
        collision_props=stock.collision_props or sim_utils.UsdPhysicsCollisionCfg(),
        activate_contact_sensors=stock.activate_contact_sensors,
        physics_material=_rubber(),
        visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=colour),
        semantic_tags=stock.semantic_tags,
    )
    return f"cuboid {size[0]:.4f} x {size[1]:.4f} x {size[2]:.4f} m"


def _table(table: Any, asset: str) -> str:
    import isaaclab.sim as sim_utils

    stock = table.spawn
    size = tuple(edge * factor for edge, factor in zip(TABLE_SIZE_M, stock.scale or (1.0, 1.0, 1.0), strict=True))
    x, y, z = table.init_state.pos
    table.init_state.pos = (x, y, z - size[2] / 2)  # the asset's origin is on its top, a cuboid's in its middle
    table.spawn = sim_utils.CuboidCfg(
        size=size,
        collision_props=sim_utils.UsdPhysicsCollisionCfg(),
        physics_material=_rubber(),
        visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.6, 0.55, 0.5)),
        semantic_tags=stock.semantic_tags,
    )
    return f"cuboid {size[0]:.1f} x {size[1]:.1f} x {size[2]:.1f} m, top at {z:.2f} m"


def _ground(ground: Any, asset: str) -> str:
    import isaaclab.sim as sim_utils

    thickness = 0.1
    stock = ground.spawn
    x, y, z = ground.init_state.pos
    ground.init_state.pos = (x, y, z - thickness / 2)
    ground.spawn = sim_utils.CuboidCfg(
        size=(*getattr(stock, "size", (100.0, 100.0)), thickness),
        collision_props=sim_utils.UsdPhysicsCollisionCfg(),
        visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.3, 0.3, 0.3)),
        semantic_tags=stock.semantic_tags,
    )
    return f"cuboid, top at {z:.2f} m"


def _rubber() -> Any:
    import isaaclab.sim as sim_utils

    return sim_utils.RigidBodyMaterialCfg(static_friction=1.0, dynamic_friction=1.0)


def _marker(asset: str) -> tuple[Any, str]:
    import isaaclab.sim as sim_utils

    grey = sim_utils.PreviewSurfaceCfg(diffuse_color=(0.5, 0.5, 0.5))
    return sim_utils.SphereCfg(radius=0.02, visual_material=grey), "sphere"


STAND_INS: tuple[tuple[str, StandIn], ...] = (
    (r"/(panda_instanceable\.usd|franka_panda\.usda)$", _panda),
    (r"/(blue|red|green|yellow)_block\.usd$", _block),
    (r"/dex_cube_instanceable\.usd$", _dex_cube),
    (r"/SeattleLabTable/table_instanceable\.usd$", _table),
    (r"/default_ground_plane\.usda?$", _ground),
)
"""Asset file name (regular expression) and what stands in for it. Serve a new asset by adding a line."""
