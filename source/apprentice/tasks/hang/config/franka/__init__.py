"""Hanging with a Franka Panda."""

from apprentice.tasks.tabletop.registration import register

TASK_ID = "Apprentice-Hang-Franka"

register(TASK_ID, cfg=f"{__name__}.env_cfg:HangFrankaEnvCfg", oracles="apprentice.tasks.hang.operator:oracles")
