"""Peg insertion with a Franka Panda."""

import gymnasium as gym

TASK_ID = "Apprentice-Insert-Franka"

if TASK_ID not in gym.registry:
    gym.register(
        id=TASK_ID,
        entry_point=f"{__name__}.env:InsertFrankaMimicEnv",
        kwargs={
            "env_cfg_entry_point": f"{__name__}.env_cfg:InsertFrankaEnvCfg",
            "robomimic_bc_cfg_entry_point": (
                "isaaclab_tasks.contrib.stack.config.franka.agents:robomimic/bc_rnn_low_dim.json"
            ),
        },
        disable_env_checker=True,
    )
