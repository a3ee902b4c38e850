"""Registers table-top tasks with Gymnasium. Loads nothing else."""

from __future__ import annotations

from apprentice.tasks import registration


def register(task_id: str, *, cfg: str, oracles: str, env: str = "TabletopFrankaEnv") -> None:
    """Make a task known, once.

    Args:
        task_id: Its id.
        cfg: Its configuration, as "module:class".
        oracles: The scripted way through it, as "module:function"; see `apprentice.tasks.oracle.find_oracles`.
        env: Its environment, of those in `apprentice.tasks.tabletop.env`.
    """
    registration.register(task_id, cfg=cfg, oracles=oracles, env=f"{__package__}.env:{env}")
