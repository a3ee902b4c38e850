"""Cube stacking with a Franka Panda."""

from apprentice.tasks.registration import register

TASK_ID = "Apprentice-Stack-Franka"

register(TASK_ID, cfg=f"{__name__}.env_cfg:StackFrankaEnvCfg", env=f"{__name__}.env:StackFrankaMimicEnv")
