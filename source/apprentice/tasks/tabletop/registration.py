"""Registers table-top tasks with Gymnasium. Loads nothing else."""

from __future__ import annotations

import gymnasium as gym


def register(task_id: str, *, cfg: str, oracles: str, env: str = f"{__package__}.env:TabletopFrankaEnv") -> None:
    """Make a task known, once.

    Args:
        task_id: Its id.
        cfg: Its configuration, as "module:class".
        oracles: The scripted way through it, as "module:function"; see `apprentice.tasks.oracle.find_oracles`.
        env: Its environment, as "module:class".
    """
    if task_id in gym.registry:
        return
    gym.register(
        id=task_id,
        entry_point=env,
        kwargs={
            "env_cfg_entry_point": cfg,
            "oracles_entry_point": oracles,
            "robomimic_bc_cfg_entry_point": (
                "isaaclab_tasks.contrib.stack.config.franka.agents:robomimic/bc_rnn_low_dim.json"
            ),
        },
        disable_env_checker=True,
    )
