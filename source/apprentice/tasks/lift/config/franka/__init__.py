"""Lifting a cube with a Franka Panda."""

from apprentice.tasks.tabletop.registration import register

TASK_ID = "Apprentice-Lift-Franka"

register(TASK_ID, cfg=f"{__name__}.env_cfg:LiftFrankaEnvCfg", oracles="apprentice.tasks.lift.operator:oracles")
