"""Picking and placing with an SO-101."""

from apprentice.tasks.tabletop.registration import register

TASK_ID = "Apprentice-PickPlace-SO101"

register(
    TASK_ID,
    cfg=f"{__name__}.env_cfg:PickPlaceSO101EnvCfg",
    oracles="apprentice.tasks.pick_place.operator:oracles",
    env="TabletopSO101Env",
)
