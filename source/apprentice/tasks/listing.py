"""The list behind `apprentice tasks`: which tasks run here, on which backend, and what the others lack."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import apprentice
from apprentice.errors import UserError
from apprentice.progress import Progress, silent
from apprentice.robots.assets import cache_dir
from apprentice.sim.localise import localise, missing_assets

from .registry import known_tasks, load_env_cfg

LISTED_BACKENDS = ("native", "newton", "ovphysx")
"""Backends whose support of a task can be told without starting them; Isaac Sim runs whatever its assets allow."""


@dataclass(kw_only=True, frozen=True)
class TaskListing:
    """One line of the list."""

    id: str
    """Gymnasium id."""
    mimic: bool
    """Whether it can be annotated and augmented."""
    backends: tuple[str, ...]
    """Backends that can run it without the cloud."""
    missing: tuple[str, ...]
    """Cloud assets without a local stand-in."""
    reason: str
    """Why some backend cannot run it; empty if all can."""


def list_tasks(progress: Progress = silent) -> list[TaskListing]:
    """Every registered task, ours first. Starts no simulator.

    Reading all configurations takes some 20 s, so the answer is kept in the cache until Isaac Lab, Apprentice or the
    registered tasks change.
    """
    tasks = known_tasks()
    tasks.sort(key=lambda task: (not task.startswith("Apprentice"), task))
    cache = _cache_file(tasks)
    with contextlib.suppress(OSError, ValueError, TypeError):
        return [TaskListing(**_tuples(line)) for line in json.loads(cache.read_text())]
    listings: list[TaskListing] = []
    for index, task in enumerate(tasks):
        progress.update(index, len(tasks), task)
        listings.append(_listing(task))
    with contextlib.suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        scratch = cache.with_suffix(".tmp")
        scratch.write_text(json.dumps([asdict(line) for line in listings]))
        scratch.replace(cache)
    return listings


def _cache_file(tasks: Sequence[str]) -> Path:
    """File whose name says everything that the list depends on."""
    from isaaclab.utils.assets import NUCLEUS_ASSET_ROOT_DIR

    root = Path(apprentice.__file__).parent
    parts = ("robots/stand_ins.py", "sim/localise.py", "sim/backends.py", "tasks/listing.py", "tasks/registry.py")
    texts = [version("isaaclab"), NUCLEUS_ASSET_ROOT_DIR, *tasks, *((root / part).read_text() for part in parts)]
    return cache_dir() / f"tasks-{hashlib.blake2b(chr(0).join(texts).encode(), digest_size=8).hexdigest()}.json"


def _tuples(line: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in line.items()}


def _listing(task: str) -> TaskListing:
    mimic, missing = False, ()
    reasons: dict[str, str] = {}
    env_cfg: Any = None
    for backend in LISTED_BACKENDS:
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                env_cfg = load_env_cfg(task, backend)
                mimic = bool(getattr(env_cfg, "subtask_configs", None))
                localise(env_cfg, backend)
                reasons[backend] = _obstacle(env_cfg, backend)
        except UserError as error:
            missing = tuple(missing_assets(env_cfg))  # none if it did not even load
            reasons = dict.fromkeys(LISTED_BACKENDS, "" if missing else str(error))
            break
        except Exception as error:  # a stock configuration that does not load must not hide all the others
            reasons = dict.fromkeys(LISTED_BACKENDS, f"its configuration does not load: {error}")
            break
    backends = tuple(backend for backend in LISTED_BACKENDS if not missing and not reasons[backend])
    return TaskListing(id=task, mimic=mimic, backends=backends, missing=missing, reason=_in_words(reasons))


def _in_words(reasons: dict[str, str]) -> str:
    if len(set(reasons.values())) == 1:
        return next(iter(reasons.values()))
    return "; ".join(f"{backend}: {reason}" for backend, reason in reasons.items() if reason)


def _obstacle(env_cfg: Any, backend: str) -> str:
    """Why `backend` cannot run this localised configuration here; empty if it can."""
    from isaaclab.assets import ArticulationCfg, AssetBaseCfg, RigidObjectCfg, RigidObjectCollectionCfg
    from isaaclab.envs import ManagerBasedRLEnvCfg
    from isaaclab.sensors import SensorBaseCfg

    from apprentice.sim.backends import configure, why_unavailable

    if not isinstance(env_cfg, ManagerBasedRLEnvCfg):
        return "it is a Direct task, without the terms that recording needs"
    served = (ArticulationCfg, RigidObjectCfg, RigidObjectCollectionCfg, SensorBaseCfg)
    for name, entity in vars(env_cfg.scene).items():
        special = isinstance(entity, AssetBaseCfg) and type(entity) is not AssetBaseCfg
        if special and not isinstance(entity, served) and not type(entity).__name__.endswith("MaterialCfg"):
            return f"it simulates '{name}' ({type(entity).__name__}), which is neither rigid nor articulated"
    if reason := why_unavailable(backend):
        return reason
    try:
        configure(env_cfg, backend)
    except UserError as error:
        return str(error)
    return ""
