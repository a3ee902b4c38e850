"""Pouring with a Franka Panda."""

from apprentice.tasks.tabletop.registration import register

TASK_ID = "Apprentice-Pour-Franka"

register(TASK_ID, cfg=f"{__name__}.env_cfg:PourFrankaEnvCfg", oracles="apprentice.tasks.pour.operator:oracles")
