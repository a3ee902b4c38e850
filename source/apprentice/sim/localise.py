"""Stock Isaac Lab tasks without the cloud: swaps every asset of a task configuration for one made on this machine.

Stock tasks name robots, blocks and tables by their address in NVIDIA's asset store. Which file is served by what stands
in `apprentice.robots.stand_ins`; what nothing serves is an error that names it, never a missing prim.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apprentice.errors import UserError
from apprentice.robots.stand_ins import kinematics, marker, stand_in

PRESETS: dict[str, str] = {
    "native": "newton_mjwarp",
    "newton": "newton_mjwarp",
    "ovphysx": "ovphysx",
    "isaacsim": "isaacsim_physx",
}
"""Isaac Lab preset that each backend selects where a task offers alternatives."""


@dataclass(kw_only=True, frozen=True)
class Substitution:
    """One thing that was swapped."""

    where: str
    """Place in the task configuration, such as `scene.cube_1`."""
    original: str
    """The cloud asset, from the store's root on; or what else could not stay."""
    stand_in: str
    """What takes its place."""


def localise(env_cfg: Any, backend: str = "native") -> list[Substitution]:
    """Make `env_cfg` run on `backend` without the cloud. Changes it in place and says what was changed.

    First settles the configuration's presets (alternatives by backend), since they decide which assets are used.

    Raises:
        UserError: If some asset has no local stand-in; the message names all of them.
    """
    from isaaclab_tasks.utils import resolve_presets

    resolve_presets(env_cfg, (PRESETS[backend],))
    done = swap_assets(env_cfg)
    if PRESETS[backend] == "newton_mjwarp":
        done += _render_with_newton(env_cfg.scene)
    return done


def swap_assets(env_cfg: Any) -> list[Substitution]:
    """Swap the assets of `env_cfg` in place, leaving its presets alone.

    Raises:
        UserError: If some asset has no local stand-in; the message names all of them.
    """
    done: list[Substitution] = []
    for where, node in list(_nodes(env_cfg)):
        done += [Substitution(where=where, original=_short(old), stand_in=new) for old, new in _swap(node)]
    done += _drop_texture_events(env_cfg)
    done += _compensate_once(env_cfg)
    done += _drop_unread_contacts(env_cfg)
    _separate_collections(env_cfg.scene)
    _follow_links(env_cfg.scene)
    if missing := missing_assets(env_cfg):
        raise UserError(
            f"Expected a local stand-in for every cloud asset of this task, found none for {', '.join(missing)}: "
            "choose another task (`apprentice tasks` lists those that run here), or set ISAACSIM_ASSET_ROOT to a local "
            "copy of the Isaac Sim assets."
        )
    return done


def missing_assets(env_cfg: Any) -> list[str]:
    """Cloud assets that `env_cfg` still names."""
    strings = (text for _, node in _nodes(env_cfg) for text in _strings(vars(node)))
    return sorted({_short(text) for text in strings if is_cloud(text)})


def is_cloud(text: str) -> bool:
    """Whether `text` is the address of an asset that is not on this machine."""
    from isaaclab.utils.assets import NUCLEUS_ASSET_ROOT_DIR

    remote = text.startswith(("http://", "https://", "omniverse://"))
    return (remote or text.startswith(NUCLEUS_ASSET_ROOT_DIR)) and not os.path.exists(text)


def _short(asset: str) -> str:
    from isaaclab.utils.assets import NUCLEUS_ASSET_ROOT_DIR

    return asset.removeprefix(NUCLEUS_ASSET_ROOT_DIR)


def _nodes(cfg: Any, path: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """Every configuration object in `cfg`, each once, with its dotted path."""
    seen = set() if seen is None else seen
    container = isinstance(cfg, (dict, list, tuple))
    if id(cfg) in seen or not (container or hasattr(cfg, "__dataclass_fields__")):
        return
    seen.add(id(cfg))
    if not container:
        yield path, cfg
    items = enumerate(cfg) if isinstance(cfg, (list, tuple)) else (cfg if isinstance(cfg, dict) else vars(cfg)).items()
    for key, value in items:
        yield from _nodes(value, f"{path}.{key}" if path else str(key), seen)


def _strings(value: Any) -> Iterator[str]:
    """Strings in `value` and the containers in it, not entering configuration objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


def _swap(node: Any) -> Iterator[tuple[str, str]]:
    """Swap the cloud assets that `node` itself names. Yields (asset, stand-in)."""
    asset = getattr(getattr(node, "spawn", None), "usd_path", None)
    if isinstance(asset, str) and is_cloud(asset) and (serve := stand_in(asset)) is not None:
        yield asset, serve(node, asset)
    for name, shape in (getattr(node, "markers", None) or {}).items():
        asset = getattr(shape, "usd_path", None)
        if isinstance(asset, str) and is_cloud(asset):
            node.markers[name], description = marker(asset)
            yield asset, description
    for key in ("usd_path", "urdf_path") if hasattr(node, "urdf_output_dir") else ():
        asset = getattr(node, key)
        if isinstance(asset, str) and is_cloud(asset) and (served := kinematics(asset)) is not None:
            node.usd_path, node.urdf_path = None, served[0]
            yield asset, served[1]
    texture = getattr(node, "texture_file", None)
    if isinstance(texture, str) and is_cloud(texture):
        node.texture_file = None
        yield texture, "light without texture"


def _drop_texture_events(env_cfg: Any) -> Iterator[Substitution]:
    """Remove events that paint cloud textures: they change nothing but looks, and need Isaac Sim's renderer."""
    events = getattr(env_cfg, "events", None)
    for name, event in list(vars(events).items()) if events is not None else ():
        textures = {text for text in _strings(getattr(event, "params", None)) if is_cloud(text)}
        if textures:
            setattr(events, name, None)
            yield Substitution(where=f"events.{name}", original=f"{len(textures)} textures", stand_in="none")


def _compensate_once(env_cfg: Any) -> Iterator[Substitution]:
    """Let actions not compensate the weight of a local robot: the simulator does."""
    for name, term in vars(env_cfg.actions).items():
        robot: Any = getattr(env_cfg.scene, getattr(term, "asset_name", ""), None)
        local = isinstance(getattr(getattr(robot, "spawn", None), "rigid_props", None), list)
        if local and getattr(term, "enable_gravity_compensation", False):
            term.enable_gravity_compensation = False
            yield Substitution(
                where=f"actions.{name}", original="gravity compensation by the action", stand_in="by the simulator"
            )


def _drop_unread_contacts(env_cfg: Any) -> Iterator[Substitution]:
    """Remove contact sensors that no term reads: those of the humanoids drive an operator's gloves, and their paths fit
    the cloud's models alone."""
    from isaaclab.sensors import ContactSensorCfg

    scene = env_cfg.scene
    sensors = [name for name, cfg in vars(scene).items() if isinstance(cfg, ContactSensorCfg)]
    if not sensors:
        return
    managers = ("observations", "actions", "rewards", "terminations", "events", "commands", "curriculum")
    read = {
        text
        for manager in managers
        for _, node in _nodes(getattr(env_cfg, manager, None))
        for text in _strings(vars(node))
    }
    for name in sensors:
        if name not in read and "/Robot/" in getattr(scene, name).prim_path:
            setattr(scene, name, None)
            if getattr(env_cfg, "haptic_feedback", None) is not None:
                env_cfg.haptic_feedback = None
            yield Substitution(where=f"scene.{name}", original="contact sensor for gloves", stand_in="none")


def _render_with_newton(scene: Any) -> Iterator[Substitution]:
    """Give cameras that ask for Isaac Sim's renderer the one that runs wherever Newton runs."""
    from isaaclab_newton.renderers import NewtonWarpRendererCfg

    for name, camera in vars(scene).items():
        if getattr(getattr(camera, "renderer_cfg", None), "renderer_type", None) == "isaac_rtx":
            camera.renderer_cfg = NewtonWarpRendererCfg()
            yield Substitution(where=f"scene.{name}", original="Isaac RTX renderer", stand_in="Newton Warp renderer")


def _separate_collections(scene: Any) -> None:
    """Give every collection of bodies names of its own.

    Newton finds a collection by the pattern that its prim paths have in common, and the stock scene of randomised
    instances has a body in one collection whose name fits the pattern of another.
    """
    bodies_of = {name: getattr(cfg, "rigid_objects", None) for name, cfg in vars(scene).items()}
    collections = {name: bodies for name, bodies in bodies_of.items() if isinstance(bodies, dict)}
    paths = {body.prim_path for bodies in collections.values() for body in bodies.values()}
    for name, bodies in collections.items():
        own = {body.prim_path for body in bodies.values()}
        first, last = min(own), max(own)
        shared = next((at for at, (a, b) in enumerate(zip(first, last)) if a != b), len(first))
        if own != {path for path in paths if path.startswith(first[:shared])}:
            for key, body in bodies.items():
                body.prim_path = f"{body.prim_path.rpartition('/')[0]}/{name}_{key}"


def _follow_links(scene: Any) -> None:
    """Point sensors at the links of a swapped robot, where its file nests them differently from the cloud's."""
    from pxr import Usd

    for robot in [cfg for cfg in vars(scene).values() if isinstance(getattr(cfg, "actuators", 0), dict)]:
        if not os.path.isfile(getattr(robot.spawn, "usd_path", "")):
            continue
        stage: Any = Usd.Stage.Open(robot.spawn.usd_path)  # named, or it is gone before its prims are read
        root = stage.GetDefaultPrim()
        links = [str(prim.GetPath())[len(str(root.GetPath())) + 1 :] for prim in Usd.PrimRange(root)][1:]
        prefix = f"{robot.prim_path}/"
        for _, node in _nodes(scene):
            for key, value in vars(node).items():
                if isinstance(value, str) and value.startswith(prefix):
                    setattr(node, key, prefix + _in_file(value.removeprefix(prefix), links))


def _in_file(path: str, links: list[str]) -> str:
    """`path` (an expression below the robot) as it is in the file; unchanged if it already matches there."""
    if any(re.fullmatch(path, link) for link in links):
        return path
    parts = path.split("/")
    for end in range(len(parts), 0, -1):  # the deepest part that is a link; what hangs on it stays
        head = "/".join(parts[:end])
        for link in links:
            if link.rpartition("/")[2] == parts[end - 1] or _matches(head, link):
                return "/".join([link, *parts[end:]])
    return path


def _matches(expression: str, link: str) -> bool:
    try:
        return re.fullmatch(expression, link) is not None
    except re.error:  # cut inside a group
        return False
