"""What Apprentice knows about tasks, its own and Isaac Lab's, from their configurations: no simulator is started."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from apprentice.errors import UserError
from apprentice.sim.quiet import quiet

from .grasps import Grasp, grasps


@dataclass(kw_only=True, frozen=True)
class TaskInfo:
    """What the stages of the workflow need to know about a task."""

    id: str
    """Gymnasium id."""
    mimic: bool
    """Whether it has Isaac Lab's Mimic interface, so that it can be annotated and augmented."""
    eef_names: tuple[str, ...]
    """End effectors; empty for tasks without Mimic interface, but for those whose hands Isaac Lab's Pink controller
    moves: these can be driven and recorded."""
    objects: tuple[str, ...]
    """Objects of the scene: rigid ones, but for those that the task names in `loose_objects`, and links of articulated
    ones that it names in `articulated_objects`."""
    symmetry: Mapping[str, int]
    """Order of each object's rotational symmetry about its vertical axis; 1 is none."""
    cubes: tuple[str, ...]
    """Objects that look the same lying on any of their sides."""
    subtasks: Mapping[str, tuple[tuple[str | None, str | None], ...]]
    """Per end effector, each subtask's object and the signal of its end (None: not detected)."""
    descriptions: Mapping[str, tuple[str, ...]]
    """Per end effector, what each subtask does, in words; empty text where nobody said."""
    action_dim: int | None
    """Width of the action, or None where only the running environment knows."""
    success: str | None
    """Name of the success term, or None if the task has none."""
    control_hz: float
    """Actions per second of simulated time."""
    variants: tuple[str, ...]
    """Difficulty variants; empty if the task has none."""
    grasps: Mapping[str, Grasp] = field(default_factory=dict)
    """How each end effector grasps; empty where that is not known."""
    pace: float = 1.0
    """Share of augmentation's speeds at which its hands carry things without losing them."""


def register_tasks() -> None:
    """Make Gymnasium know all tasks: Isaac Lab's, ours, and those of installed packages. Cheap when repeated."""
    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")  # Isaac Lab registers two of its own ids twice
        importlib.import_module("isaaclab_tasks")
        importlib.import_module("isaaclab_mimic.envs")
        importlib.import_module("apprentice.tasks")
        for entry_point in entry_points(group="isaaclab.tasks"):
            entry_point.load()


def known_tasks() -> list[str]:
    """Ids of all registered Isaac Lab tasks, sorted."""
    import gymnasium as gym

    register_tasks()
    return sorted(task for task, spec in gym.registry.items() if "env_cfg_entry_point" in (spec.kwargs or {}))


def resolve_task(task: str) -> str:
    """The registered id that `task` means: itself, or one that differs only in case, version or the Isaac prefix.

    Raises:
        UserError: If there is none, with near names.
    """
    known = known_tasks()
    if task in known:
        return task
    plain = {name: _plain(name) for name in known}
    matches = [name for name in known if plain[name] == _plain(task)]
    if len(matches) == 1:
        return matches[0]
    close = difflib.get_close_matches(_plain(task), set(plain.values()), n=3, cutoff=0.6)
    near = matches or [name for name in known if plain[name] in close]
    hint = f"did you mean {' or '.join(near)}?" if near else "`apprentice tasks` lists the tasks that run here."
    raise UserError(f"Expected the id of an Isaac Lab task, found '{task}': {hint}")


def _plain(task: str) -> str:
    return re.sub(r"^isaac(contrib)?-|-v\d+$", "", task.lower())


def load_env_cfg(task: str, backend: str = "native") -> Any:
    """Fresh configuration of a registered task, with its alternatives settled for `backend`.

    Raises:
        UserError: If the task is unknown, or needs a package that is not installed.
    """
    import gymnasium as gym
    from isaaclab_tasks.utils import resolve_presets

    from apprentice.sim.localise import PRESETS

    entry: Any = gym.spec(resolve_task(task)).kwargs["env_cfg_entry_point"]
    try:
        if isinstance(entry, str):
            module, _, name = entry.partition(":")
            with quiet():
                entry = getattr(importlib.import_module(module), name)
        return resolve_presets(entry(), (PRESETS[backend],))
    except ImportError as error:
        raise UserError(f"Expected to load the task {task}, found that it needs a missing package: {error}.") from error


def environment_class(task: str) -> Any:
    """The environment class that a registered task names. Imports its module."""
    import gymnasium as gym

    entry: Any = gym.spec(task).entry_point
    if not isinstance(entry, str):
        return entry
    module, _, name = entry.partition(":")
    return getattr(importlib.import_module(module), name)


def apply_variant(env_cfg: Any, variant: str) -> None:
    """Switch a task configuration to one of its difficulty variants, in place.

    Raises:
        UserError: If the task has no variants, or not this one.
    """
    if not hasattr(env_cfg, "apply_variant"):
        raise UserError(
            f"Expected a task with variants, found {type(env_cfg).__name__}, which has none: leave out --variant, or "
            "use Apprentice-Stack-Franka."
        )
    env_cfg.apply_variant(variant)


def reset_ranges(task: str, variant: str | None) -> dict[str, dict[str, tuple[float, float]]]:
    """Lowest and highest x, y (m, environment frame) and yaw (rad) that resets draw for each object.

    A task states them as `object_reset_ranges` in its configuration; of others nothing is known and none are returned.
    """
    with quiet():
        env_cfg = load_env_cfg(task)
    if variant is not None:
        apply_variant(env_cfg, variant)
    return getattr(env_cfg, "object_reset_ranges", {})


def reach(task: str) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Lowest and highest x, y (m, environment frame) that resets of any variant draw for any object.

    Whatever is in there can be grasped and built on: a task's widest variant is made so. None where nothing is stated.
    """
    info = task_info(task)
    ranges = [one for variant in (info.variants or (None,)) for one in reset_ranges(info.id, variant).values()]
    if not ranges:
        return None
    low = min(one["x"][0] for one in ranges), min(one["y"][0] for one in ranges)
    return low, (max(one["x"][1] for one in ranges), max(one["y"][1] for one in ranges))


def task_info(task: str) -> TaskInfo:
    """What there is to know about a task.

    Raises:
        UserError: If the task is unknown or its configuration cannot be loaded.
    """
    task = resolve_task(task)
    with quiet():
        return info_from_cfg(task, load_env_cfg(task))


def info_from_cfg(task: str, env_cfg: Any) -> TaskInfo:
    """What the configuration of `task` says about it. Swaps the configuration's cloud assets as far as possible."""
    from isaaclab.assets import RigidObjectCfg

    from apprentice.sim.localise import swap_assets

    from .pink import pink_hands

    with contextlib.suppress(UserError):
        swap_assets(env_cfg)
    loose = getattr(env_cfg, "loose_objects", ())
    objects = {
        name: cfg for name, cfg in vars(env_cfg.scene).items() if isinstance(cfg, RigidObjectCfg) and name not in loose
    }
    links: Mapping[str, tuple[str, str]] = getattr(env_cfg, "articulated_objects", {})
    declared: dict[str, int] = getattr(env_cfg, "object_symmetry", {})
    subtasks: dict[str, list[Any]] = getattr(env_cfg, "subtask_configs", {})
    return TaskInfo(
        id=task,
        mimic=bool(subtasks),
        eef_names=tuple(subtasks) or pink_hands(env_cfg),
        objects=(*objects, *links),
        symmetry={name: declared.get(name, _symmetry(cfg.spawn)) for name, cfg in objects.items()}
        | {name: declared.get(name, 1) for name in links},
        cubes=tuple(name for name, cfg in objects.items() if _is_cube(cfg.spawn)),
        subtasks={
            eef: tuple((part.object_ref, part.subtask_term_signal) for part in parts) for eef, parts in subtasks.items()
        },
        descriptions={eef: tuple(part.description for part in parts) for eef, parts in subtasks.items()},
        action_dim=_action_dim(env_cfg),
        success="success" if getattr(getattr(env_cfg, "terminations", None), "success", None) else None,
        control_hz=1.0 / (env_cfg.sim.dt * env_cfg.decimation),
        variants=tuple(getattr(env_cfg, "variants", ())),
        grasps=grasps(env_cfg, lambda term: _term_width(term, env_cfg.scene)),
        pace=getattr(env_cfg, "pace", 1.0),
    )


def _symmetry(spawn: Any) -> int:
    """A box looks the same after half a turn, a square one after a quarter; of other shapes nothing is assumed."""
    size = _box(spawn)
    if size is None:
        return 1
    return 4 if abs(size[0] - size[1]) < 1e-6 else 2


def _is_cube(spawn: Any) -> bool:
    size = _box(spawn)
    return size is not None and max(size) - min(size) < 1e-6


def _box(spawn: Any) -> tuple[float, float, float] | None:
    """Edges of what is a single box (m)."""
    parts = getattr(spawn, "parts", ())
    size = parts[0].size_m if len(parts) == 1 else getattr(spawn, "size", None)
    return size if size is not None and len(size) == 3 else None


def _action_dim(env_cfg: Any) -> int | None:
    widths = [_term_width(term, env_cfg.scene) for term in vars(env_cfg.actions).values() if term is not None]
    known = [width for width in widths if width is not None]
    return sum(known) if widths and len(known) == len(widths) else None


def _term_width(term: Any, scene: Any) -> int | None:
    kind = type(term).__name__
    if kind.startswith("Binary"):
        return 1
    if (width := getattr(term, "width", None)) is not None:
        return width
    if kind == "DifferentialInverseKinematicsActionCfg":
        if term.controller.command_type == "position":
            return 3
        return 6 if term.controller.use_relative_mode else 7
    if kind.removeprefix("Relative") in ("JointPositionActionCfg", "JointVelocityActionCfg", "JointEffortActionCfg"):
        joints = _joint_names(getattr(scene, term.asset_name, None))
        return sum(any(re.fullmatch(name, joint) for name in term.joint_names) for joint in joints) or None
    return None


def _joint_names(robot: Any) -> list[str]:
    """Movable joints in the robot's file; empty if it is not on this machine."""
    from pxr import Usd, UsdPhysics

    path = getattr(getattr(robot, "spawn", None), "usd_path", "")
    if not isinstance(path, str) or not os.path.isfile(path):
        return []
    stage: Any = Usd.Stage.Open(path)  # named, or it is gone before its prims are read
    kinds = (UsdPhysics.RevoluteJoint, UsdPhysics.PrismaticJoint)
    return [prim.GetName() for prim in stage.Traverse() if any(prim.IsA(kind) for kind in kinds)]
