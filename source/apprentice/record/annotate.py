"""Writes into demos what augmentation needs: end-effector and object poses, and where each subtask ends."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from apprentice.demos import DemoFile, Tree, write_annotations
from apprentice.errors import UserError
from apprentice.progress import Progress, silent
from apprentice.record.cfg import AnnotateCfg
from apprentice.record.playback import Playback, batch_size, load, require_playable, task_for
from apprentice.tasks.episode import INFO, annotation_rows
from apprentice.tasks.registry import TaskInfo, task_info
from apprentice.tasks.session import Session, open_session

Steps = Mapping[str, Mapping[str, int]]
"""By demo and signal, the first step at which the subtask is complete."""

_SIGNALS = f"{INFO}/subtask_term_signals"


@dataclass(kw_only=True, frozen=True)
class AnnotateResult:
    path: Path
    """The annotated file."""
    annotated: list[str]
    """Demos that got annotations."""
    complete: list[str]
    """Demos that had all of them already, and were left alone."""
    missing: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By demo, signals that never come on: subtasks that were not completed, or not detected."""
    failed: list[str] = field(default_factory=list[str])
    """Demos whose actions, played back, did not end in success."""

    def summary(self) -> str:
        """What was done, in a sentence or two."""
        text = f"{len(self.annotated)} demos annotated in {self.path}"
        if self.complete:
            text += f", {len(self.complete)} were annotated already"
        if self.failed:
            text += f"; played back, {', '.join(self.failed)} did not succeed, so look at their annotations"
        if self.missing:
            some = [f"{', '.join(signals)} in {name}" for name, signals in self.missing.items()]
            text += f"; never complete: {'; '.join(some)}: mark these steps by hand with --steps"
        return text + "."


def annotate(
    path: Path, cfg: AnnotateCfg, progress: Progress = silent, *, steps: Steps | None = None
) -> AnnotateResult:
    """Annotate demos that are not yet, or whose steps are given by hand. What was there before is kept beside.

    Args:
        path: The demo file.
        cfg: How to annotate.
        progress: Told of annotated demos.
        steps: Steps marked by hand; these signals are taken from there, those of other demos from the task's terms.

    Raises:
        UserError: If the file or its task cannot be played back, steps do not fit it, or it cannot be written.
    """
    steps = steps if steps is not None else _read_steps(cfg.steps)
    with DemoFile(path) as file:
        info = task_info(task_for(file, cfg.task))
        _require_mimic(info)
        signals = _signals(info)
        _check_steps(file, steps, signals)
        todo = [name for name in file.names if not _is_complete(file, name, info)]
        num_envs, variant = batch_size(file, cfg.num_envs), file.meta.get("variant")
    if not todo:
        return _write(path, cfg, {name: {} for name in steps}, steps, info)
    with open_session(info.id, backend=cfg.backend, num_envs=num_envs, variant=variant, threads=cfg.threads) as session:
        return annotate_in(session, path, cfg, progress, steps=steps)


def annotate_in(
    session: Session, path: Path, cfg: AnnotateCfg, progress: Progress = silent, *, steps: Steps | None = None
) -> AnnotateResult:
    """Annotate in a session that is open: see `annotate`."""
    steps = steps or {}
    info = session.task_info
    _require_mimic(info)
    annotations: dict[str, Tree] = {name: {} for name in steps}
    failed: list[str] = []
    with DemoFile(path) as file:
        todo = [name for name in file.names if not _is_complete(file, name, info)]
        by_states = _by_states(file, cfg)
        keys = ["initial_state", "states"] if by_states else ["initial_state"]
        require_playable(file, session, keys)
        playback = Playback(session, before=annotation_rows, hold=0 if by_states else 10)
        demos = load(file, keys, todo)
        for played in playback.states(demos) if by_states else playback.actions(demos):
            annotations[played.demo.name] = played.tree
            if not by_states and played.held_steps < 10:
                failed.append(played.demo.name)
            progress.update(len(annotations), len(todo))
    return _write(path, cfg, annotations, steps, info, failed)


def _write(
    path: Path,
    cfg: AnnotateCfg,
    annotations: dict[str, Tree],
    steps: Steps,
    info: TaskInfo,
    failed: list[str] | None = None,
) -> AnnotateResult:
    with DemoFile(path) as file:
        lengths = {name: file.length(name) for name in file.names}
    for name, marked in steps.items():
        annotations[name] |= {
            f"{_SIGNALS}/{signal}": np.arange(lengths[name]) >= step for signal, step in marked.items()
        }
    if annotations or cfg.output is not None:
        write_annotations(path, annotations, output=cfg.output)
    missing = {
        name: [signal for signal in _signals(info) if not tree.get(f"{_SIGNALS}/{signal}", np.ones(1)).any()]
        for name, tree in annotations.items()
    }
    return AnnotateResult(
        path=cfg.output or path,
        annotated=list(annotations),
        complete=[name for name in lengths if name not in annotations],
        missing={name: signals for name, signals in missing.items() if signals},
        failed=failed or [],
    )


def _require_mimic(info: TaskInfo) -> None:
    if not info.mimic:
        raise UserError(
            f"Expected a task with Isaac Lab's Mimic interface, found {info.id}, which has none: name one with --task, "
            "such as its -Mimic- version."
        )


def _signals(info: TaskInfo) -> list[str]:
    """The signals of a task, in order."""
    named = [signal for parts in info.subtasks.values() for _, signal in parts if signal]
    return list(dict.fromkeys(named))


def _is_complete(file: DemoFile, name: str, info: TaskInfo) -> bool:
    wanted = {f"{INFO}/{kind}/{eef}" for eef in info.eef_names for kind in ("eef_pose", "target_eef_pose")}
    wanted |= {f"{INFO}/object_pose/{part[0]}" for parts in info.subtasks.values() for part in parts if part[0]}
    wanted |= {f"{_SIGNALS}/{signal}" for signal in _signals(info)}
    return wanted <= set(file.keys(name))


def _by_states(file: DemoFile, cfg: AnnotateCfg) -> bool:
    have = all(any(key.startswith("states/") for key in file.keys(name)) for name in file.names)
    return cfg.by == "states" or (cfg.by == "auto" and have)


def _read_steps(path: Path | None) -> dict[str, dict[str, int]]:
    if path is None:
        return {}
    try:
        steps = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: expected a JSON file of steps, found {error}.") from None
    if not isinstance(steps, dict) or not all(isinstance(marked, dict) for marked in steps.values()):
        raise UserError(f'{path}: expected steps such as {{"demo_0": {{"grasp_1": 80}}}}, found another form.')
    return steps


def _check_steps(file: DemoFile, steps: Steps, signals: list[str]) -> None:
    """Raises a UserError if marked steps do not fit the demos or are out of order."""
    for name, marked in steps.items():
        length = file.length(name)
        for signal, step in marked.items():
            place = f"{file.path}, {name}, {signal}"
            if signal not in signals:
                raise UserError(
                    f"{place}: expected one of the task's signals {', '.join(signals)}, found no such signal."
                )
            if not isinstance(step, int) or isinstance(step, bool) or not 0 < step < length:
                raise UserError(f"{place}: expected a step from 1 to {length - 1}, found {step!r}.")
        order = [marked[signal] for signal in signals if signal in marked]
        if any(later <= earlier for earlier, later in itertools.pairwise(order)):
            raise UserError(
                f"{file.path}, {name}: expected later steps for later subtasks ({', '.join(signals)}), found "
                f"{dict(marked)}."
            )
