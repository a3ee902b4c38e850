"""What comes before the first attempt: is the task one to augment, are the source demos of use, and planners for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from apprentice.demos import DemoFile
from apprentice.errors import UserError

from .cfg import AugmentCfg
from .planning.constraints import read_constraints
from .planning.plan import Planner
from .planning.select import require_strategy
from .sources.demos import SourceDemo, load_source, read_annotated
from .sources.pauses import without_pauses
from .sources.segment import nominal_boundaries
from .sources.transfer import Transfer, find_transfer

if TYPE_CHECKING:
    from apprentice.tasks.registry import TaskInfo


def make_planners(session: Any, source: Path, cfg: AugmentCfg, transfer: Transfer | None = None) -> dict[str, Planner]:
    """Planners for all end effectors of an open task.

    Args:
        session: The task.
        source: Annotated demos.
        cfg: Options.
        transfer: How demos of another arm get to the task's.

    Raises:
        UserError: If the task or the source demos cannot be used.
    """
    from apprentice.tasks.eef_maps import action_to_gripper

    require_strategy(cfg.selection)
    env, info = session.env, session.task_info
    subtasks = env.cfg.subtask_configs
    read_constraints(env.cfg)
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
        eefs=list(subtasks) if transfer is None else [transfer.source_eef],
        objects=list(session.object_poses()),
        signals=sorted({part.subtask_term_signal for parts in subtasks.values() for part in parts[:-1]}),
        to_gripper=(lambda actions: action_to_gripper(env, actions)) if transfer is None else transfer.gripper,
        cubes=info.cubes if cfg.use_symmetry else (),
    )
    if cfg.cut_pauses:
        demos = [without_pauses(demo, session.control_hz) for demo in demos]
    if transfer is not None:
        demos = [transfer.apply(demo) for demo in demos]
    # end effectors that do something together take it from the same demo
    usable = [set(nominal_boundaries(demos, parts, eef)[0]) for eef, parts in subtasks.items()]
    demos = [demos[index] for index in sorted(set.intersection(*usable))]
    if not demos:
        raise UserError(f"{source}: expected a demo with all subtasks of {', '.join(subtasks)} in order, found none.")
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
            pace=info.pace,
        )
        for eef, parts in subtasks.items()
    }


def require_usable(source: Path, info: TaskInfo, cfg: AugmentCfg) -> Transfer | None:
    """Refuse what can't work before the simulator takes its time to start.

    Returns:
        How the source demos get to the task's arm, if they are of another one.

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
    transfer = find_transfer(source, info)
    eefs = info.eef_names if transfer is None else (transfer.source_eef,)
    read_annotated(source, eefs=eefs, objects=info.objects, signals=sorted(signals))
    return transfer


def infer(source: Path) -> str:
    """Id of the task that a source file belongs to."""
    from apprentice.tasks.infer import demo_structure, infer_task

    with DemoFile(source) as file:
        if not file.names:
            raise UserError(f"{source}: expected source demos, found none.")
        first = file.names[0]
        structure = demo_structure(file.keys(first), file.action_dim or 0)
        return infer_task(structure, file.task).task
