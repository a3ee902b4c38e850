"""Peg insertion with a Franka Panda."""

from apprentice.tasks.tabletop.registration import register

TASK_ID = "Apprentice-Insert-Franka"

register(TASK_ID, cfg=f"{__name__}.env_cfg:InsertFrankaEnvCfg", oracles="apprentice.tasks.insert.operator:oracles")
