"""Sorting objects into bins with a Franka Panda."""

from apprentice.tasks.tabletop.registration import register

TASK_ID = "Apprentice-Bins-Franka"

register(TASK_ID, cfg=f"{__name__}.env_cfg:BinsFrankaEnvCfg", oracles="apprentice.tasks.bins.operator:oracles")
