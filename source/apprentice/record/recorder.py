"""Records demos of a task into a file, and goes on where an earlier run stopped."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apprentice.demos import Demo, DemoFile, DemoWriter, demo_attrs
from apprentice.errors import UserError
from apprentice.progress import Progress, silent
from apprentice.record.cfg import RecordCfg
from apprentice.record.ends import Ended
from apprentice.record.loop import EpisodeLoop
from apprentice.record.operators import Operators, scripted_operators
from apprentice.tasks.episode import file_meta
from apprentice.tasks.fingerprint import physics_fingerprint
from apprentice.tasks.registry import resolve_task, task_info
from apprentice.tasks.session import Session, open_session

FAILED = "failed"
"""Group of the file for episodes that are kept although they were discarded."""


@dataclass(kw_only=True, frozen=True)
class RecordResult:
    path: Path
    """The demo file."""
    demos: int
    """Demos in it now."""
    saved: int
    """Demos that this run added."""
    discarded: int
    """Episodes that this run discarded."""
    steps: int
    """Control steps of the demos that this run added."""


def record(task: str, output: Path, cfg: RecordCfg, progress: Progress = silent) -> RecordResult:
    """Record demos until the file holds as many as asked for. An existing file of the same task is added to.

    Args:
        task: Task id.
        output: Demo file.
        cfg: How to record.
        progress: Told of saved demos.

    Raises:
        UserError: If the task is unknown or nobody can drive it so, the file holds something else or cannot be written,
            or too many episodes fail.
    """
    task = resolve_task(task)
    before = demos_so_far(output, task, cfg)
    if before >= cfg.demos:
        return RecordResult(path=output, demos=before, saved=0, discarded=0, steps=0)
    missing = cfg.demos - before
    with open_session(
        task,
        backend=cfg.backend,
        num_envs=min(cfg.num_envs, missing),
        variant=variant_of(task, cfg),
        seed=cfg.seed,
        threads=cfg.threads,
    ) as session:
        return record_session(session, output, cfg, scripted_operators(session), progress=progress)


def record_session(
    session: Session, output: Path, cfg: RecordCfg, operators: Operators, *, progress: Progress = silent
) -> RecordResult:
    """Record demos in a session that is open: see `record`."""
    fingerprint = physics_fingerprint(session)
    with DemoWriter(output, task=session.task, meta=file_meta(session), resume=True) as writer:
        before, discarded, steps, running = writer.num_demos, 0, 0, 0
        seeds = itertools.count(next_seed_of(output, cfg))

        def next_seed() -> int | None:
            nonlocal running
            if writer.num_demos + running >= cfg.demos:
                return None
            running += 1
            return next(seeds)

        progress.update(before, cfg.demos)
        for ended in EpisodeLoop(session, operators, cfg).run(next_seed):
            running -= 1
            group = group_of(ended, cfg)
            if group is not None:
                writer.append(demo_of(session, ended, cfg, fingerprint), group)
            if group == "data":
                steps += len(ended.tree["actions"])
            else:
                discarded += 1
            progress.update(writer.num_demos, cfg.demos, f"{discarded} discarded" if discarded else "")
            if discarded >= cfg.max_discarded:
                raise UserError(
                    f"Expected {cfg.demos} demos of {session.task}, found {writer.num_demos} after {discarded} "
                    "discarded episodes: give them more --max-steps, or an easier --variant."
                )
        return RecordResult(
            path=output, demos=writer.num_demos, saved=writer.num_demos - before, discarded=discarded, steps=steps
        )


def group_of(ended: Ended, cfg: RecordCfg) -> str | None:
    """The group of the file that an episode belongs to; None if it is not kept."""
    if not _is_finite(ended):
        return None
    if ended.saved:
        return "data"  # on the operator's word too; `success` says what the task thinks of it
    return FAILED if cfg.keep_failed else None


def demo_of(session: Session, ended: Ended, cfg: RecordCfg, fingerprint: str, **attrs: Any) -> Demo:
    """An episode as it is stored, with where it comes from."""
    tree = dict(ended.tree)
    about = demo_attrs(
        task=session.task,
        variant=session.variant,
        backend=session.backend,
        operator="scripted" if cfg.scripted else "person",
        device=" ".join(cfg.device),
        seed=ended.seed,
        control_hz=session.control_hz,
        physics_fingerprint=fingerprint,
        **ended.pace,
        **attrs,
    )
    return Demo(actions=tree.pop("actions"), data=tree, success=ended.success, attrs=about)


def _is_finite(ended: Ended) -> bool:
    """Whether there are steps, and no simulation that blew up."""
    return (
        "actions" in ended.tree
        and len(ended.tree["actions"]) > 0
        and all(bool(np.isfinite(value).all()) for value in ended.tree.values() if value.dtype.kind == "f")
    )


def variant_of(task: str, cfg: RecordCfg) -> str | None:
    """The variant to record: as asked for, or the first one of a task that has some."""
    variants = task_info(task).variants
    return cfg.variant or (variants[0] if variants else None)


def demos_so_far(output: Path, task: str, cfg: RecordCfg) -> int:
    """Demos that the file has already.

    Raises:
        UserError: If it is not one that this command would have made.
    """
    if not output.exists():
        return 0
    with DemoFile(output) as file:
        found = file.meta
        expected = {"task": task, "variant": variant_of(task, cfg), "backend": cfg.backend}
        for key, value in expected.items():
            if found.get(key) != value:
                raise UserError(
                    f"{output}: expected a recording of {key} {value} to add to, found "
                    f"{found.get(key) or 'another file'}; choose another output."
                )
        if "augment" in found:
            raise UserError(f"{output}: expected a recording to add to, found generated demos; choose another output.")
        return len(file)


def next_seed_of(output: Path, cfg: RecordCfg) -> int:
    """A seed that no episode in the file has."""
    with DemoFile(output) as file:
        used = [file.attrs(name).get("seed") for name in file.names]
    return max([cfg.seed, *(1 + seed for seed in used if seed is not None)])
