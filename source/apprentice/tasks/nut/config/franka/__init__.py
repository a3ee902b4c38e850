"""A square nut over a peg with a Franka Panda."""

from apprentice.tasks.tabletop.registration import register

TASK_ID = "Apprentice-Nut-Franka"

register(TASK_ID, cfg=f"{__name__}.env_cfg:NutFrankaEnvCfg", oracles="apprentice.tasks.nut.operator:oracles")
