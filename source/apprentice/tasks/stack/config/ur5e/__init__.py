"""Cube stacking with a UR5e and a Robotiq 2F-85."""

import gymnasium as gym

TASK_ID = "Apprentice-Stack-UR5e"

if TASK_ID not in gym.registry:
    gym.register(
        id=TASK_ID,
        entry_point=f"{__name__}.env:StackUR5eMimicEnv",
        kwargs={
            "env_cfg_entry_point": f"{__name__}.env_cfg:StackUR5eEnvCfg",
            "robomimic_bc_cfg_entry_point": (
                "isaaclab_tasks.contrib.stack.config.franka.agents:robomimic/bc_rnn_low_dim.json"
            ),
        },
        disable_env_checker=True,
    )
