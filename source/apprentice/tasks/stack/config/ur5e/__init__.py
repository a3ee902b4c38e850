"""Cube stacking with a UR5e and a Robotiq 2F-85."""

from apprentice.tasks.registration import register

TASK_ID = "Apprentice-Stack-UR5e"

register(TASK_ID, cfg=f"{__name__}.env_cfg:StackUR5eEnvCfg", env=f"{__name__}.env:StackUR5eMimicEnv")
