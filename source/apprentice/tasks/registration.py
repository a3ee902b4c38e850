"""Registers tasks with Gymnasium. Loads nothing else."""

from __future__ import annotations

import gymnasium as gym

STACK_BC = "isaaclab_tasks.contrib.stack.config.franka.agents:robomimic/bc_rnn_low_dim.json"
"""Isaac Lab's Robomimic configuration for one arm."""


def register(
    task_id: str, *, cfg: str, env: str, oracles: str | None = None, robomimic_bc: str | None = STACK_BC
) -> None:
    """Make a task known, once.

    Args:
        task_id: Its id.
        cfg: Its configuration, as "module:class".
        env: Its environment, as "module:class".
        oracles: The scripted way through it, as "module:function"; see `apprentice.tasks.oracle.find_oracles`.
        robomimic_bc: A Robomimic configuration for it, as "module:file"; None if there is none.
    """
    if task_id in gym.registry:
        return
    entries = {
        "env_cfg_entry_point": cfg,
        "oracles_entry_point": oracles,
        "robomimic_bc_cfg_entry_point": robomimic_bc,
    }
    gym.register(
        id=task_id,
        entry_point=env,
        kwargs={key: entry for key, entry in entries.items() if entry is not None},
        disable_env_checker=True,
    )
