"""Cube stacking with an SO-101."""

from apprentice.tasks.tabletop.registration import register

TASK_ID = "Apprentice-Stack-SO101"

register(
    TASK_ID,
    cfg=f"{__name__}.env_cfg:StackSO101EnvCfg",
    oracles=f"{__name__}.operator:oracles",
    env="TabletopSO101Env",
)
