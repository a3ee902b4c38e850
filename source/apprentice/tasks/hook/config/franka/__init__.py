"""Hooking with a Franka Panda."""

from apprentice.tasks.tabletop.registration import register

TASK_ID = "Apprentice-Hook-Franka"

register(TASK_ID, cfg=f"{__name__}.env_cfg:HookFrankaEnvCfg", oracles="apprentice.tasks.hook.operator:oracles")
