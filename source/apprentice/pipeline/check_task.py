"""Looks at a task from all sides before somebody records demos of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from apprentice.pipeline.task_checks.check import Check, CheckTaskCfg, Side
from apprentice.progress import Progress, silent


def check_task(task: str, cfg: CheckTaskCfg, progress: Progress = silent) -> Iterator[Check]:
    """Check a task, yielding each finding when it is known.

    Args:
        task: A gym id.
        cfg: How closely.
        progress: Told of the scripted operator's episodes.

    Raises:
        UserError: If there is no such task or variant, or it does not open on the backend.
    """
    from apprentice.pipeline.task_checks.actions import actions
    from apprentice.pipeline.task_checks.configuration import configuration
    from apprentice.pipeline.task_checks.playing import playing, repeatable
    from apprentice.pipeline.task_checks.resets import resets
    from apprentice.tasks.registry import task_info
    from apprentice.tasks.session import open_session

    info = task_info(task)
    told = list(configuration(info))
    yield from told
    if not info.mimic:
        return
    with open_session(
        info.id,
        backend=cfg.backend,
        num_envs=cfg.num_envs,
        variant=cfg.variant,
        seed=cfg.seed,
        threads=cfg.threads,
    ) as session:
        looks: dict[Side, Callable[[], Iterator[Check]]] = {
            "resets": lambda: resets(session, cfg),
            "actions": lambda: actions(session, cfg),
            "repeats": lambda: repeatable(session, cfg),
            "operator": lambda: playing(session, cfg, progress),
        }
        for side, look in looks.items():
            if side in cfg.sides:
                yield from look()
