"""Augmentation from a file of source demos to a file of generated ones. Killed at any moment, it can be continued."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apprentice.demos import DemoFile, require_readable
from apprentice.errors import UserError
from apprentice.progress import Progress, silent

from .cfg import AugmentCfg
from .journal import journal_path, read_journal
from .plan import Planner
from .run import AugmentResult, Run
from .select import require_strategy
from .source import SourceDemo, file_sha256, load_source, read_annotated
from .stats import stats_path

if TYPE_CHECKING:
    from apprentice.tasks.registry import TaskInfo


def augment(source: Path, output: Path, cfg: AugmentCfg, progress: Progress = silent) -> AugmentResult:
    """Generate demos, or the rest of them. Opens the simulator, of which there is one per process.

    Attempts are numbered, and the demos are the successes among the lowest-numbered ones, in that order: which they are
    depends on the source file and `cfg.identity` alone, not on the number of environments or on interruptions.

    Args:
        source: Annotated demos.
        output: Demo file to write; `FILE.attempts.jsonl` and `FILE.stats.json` are written beside it.
        cfg: Options.
        progress: Told of every demo.

    Raises:
        UserError: If the source cannot be used, `output` holds something else, or no attempt succeeds.
    """
    source, output = Path(source), Path(output)
    identity = json.loads(json.dumps({"source_sha256": file_sha256(source), "cfg": cfg.identity}))
    found = _successes_so_far(output, identity)
    if found > cfg.demos:
        raise UserError(f"{output}: expected to hold at most {cfg.demos} demos, found {found}; choose another output.")
    if found == cfg.demos and stats_path(output).exists():
        stats = json.loads(stats_path(output).read_text())
        if stats.get("successes") == found:
            progress.update(found, cfg.demos, "finished before")
            outcomes = [line.outcome for line in read_journal(output)]
            return AugmentResult(output=output, stats=stats, outcomes=outcomes)
    from apprentice.tasks.registry import task_info
    from apprentice.tasks.session import open_session

    require_readable(source)
    task = cfg.task or _infer(source)
    _require_usable(source, task_info(task), cfg)
    with open_session(
        task, backend=cfg.backend, num_envs=_num_envs(cfg), variant=cfg.variant, seed=cfg.seed, threads=cfg.threads
    ) as session:
        planners = make_planners(session, source, cfg)
        run = Run(session, planners, source=source, output=output, cfg=cfg, identity=identity, progress=progress)
        return run.generate()


def make_planners(session: Any, source: Path, cfg: AugmentCfg) -> dict[str, Planner]:
    """Planners for all end effectors of an open task.

    Raises:
        UserError: If the task or the source demos cannot be used.
    """
    from apprentice.tasks.eef_maps import action_to_gripper

    require_strategy(cfg.selection)
    env, info = session.env, session.task_info
    subtasks = env.cfg.subtask_configs
    if getattr(env.cfg, "task_constraint_configs", None):
        raise UserError(f"Expected end effectors that work independently, found subtask constraints in {session.task}.")
    undetected = [
        f"{eef} {index}"
        for eef, parts in subtasks.items()
        for index, part in enumerate(parts[:-1])
        if not part.subtask_term_signal
    ]
    if undetected:
        raise UserError(
            f"Expected a signal for the end of every subtask but the last, found none for {', '.join(undetected)} of "
            f"{session.task}."
        )
    demos: list[SourceDemo] = load_source(
        source,
        eefs=list(subtasks),
        objects=list(session.object_poses()),
        signals=sorted({part.subtask_term_signal for parts in subtasks.values() for part in parts[:-1]}),
        to_gripper=lambda actions: action_to_gripper(env, actions),
    )
    from_last = env.cfg.datagen_config.generation_interpolate_from_last_target_pose
    return {
        eef: Planner(
            eef,
            parts,
            demos,
            symmetry=info.symmetry,
            control_hz=session.control_hz,
            from_last_target=from_last,
            cfg=cfg,
        )
        for eef, parts in subtasks.items()
    }


def _require_usable(source: Path, info: TaskInfo, cfg: AugmentCfg) -> None:
    """Refuse what can't work before the simulator takes its time to start.

    Raises:
        UserError: If the task is no Mimic task or lacks the variant, or the source demos can't be used for it.
    """
    if not info.mimic:
        raise UserError(
            f"Expected a task with Isaac Lab's Mimic interface, found {info.id}, which has none: only Mimic tasks "
            "can be augmented."
        )
    if cfg.variant is not None and cfg.variant not in info.variants:
        offered = f"one of the variants {', '.join(info.variants)}" if info.variants else "no --variant"
        raise UserError(f"Expected {offered} for {info.id}, found '{cfg.variant}'.")
    signals = {signal for parts in info.subtasks.values() for _, signal in parts[:-1] if signal}
    read_annotated(source, eefs=info.eef_names, objects=info.objects, signals=sorted(signals))


def _num_envs(cfg: AugmentCfg) -> int:
    return min(cfg.num_envs, max(1, math.ceil(1.2 * cfg.demos)))


def _successes_so_far(output: Path, identity: dict[str, Any]) -> int:
    """Demos that an interrupted or finished run of the same identity left in `output`.

    Raises:
        UserError: If `output` is something else.
    """
    if not output.exists():
        if journal_path(output).exists():
            raise UserError(
                f"{output}: expected this file beside {journal_path(output).name}, found none; remove that journal to "
                "start over."
            )
        return 0
    with DemoFile(output) as file:
        there = file.meta.get("augment")
        if there is None:
            raise UserError(
                f"{output}: expected a new file or one that augment began, found another; choose another output."
            )
        differing = _differences(there, identity)
        if differing:
            raise UserError(
                f"{output}: expected a file made with the same options to continue, found "
                f"{'; '.join(differing)}; choose another output or those options."
            )
    return sum(line.outcome.success for line in read_journal(output))


def _differences(there: dict[str, Any], here: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key in sorted({*there, *here}):
        a, b = there.get(key), here.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{key}." if key != "cfg" else "")
        elif a != b:
            found.append(f"{prefix}{key} {a} instead of {b}")
    return found


def _infer(source: Path) -> str:
    """Id of the task that a source file belongs to."""
    from apprentice.tasks.infer import demo_structure, infer_task

    with DemoFile(source) as file:
        if not file.names:
            raise UserError(f"{source}: expected source demos, found none.")
        first = file.names[0]
        structure = demo_structure(file.keys(first), file.action_dim or 0)
        return infer_task(structure, file.task).task
