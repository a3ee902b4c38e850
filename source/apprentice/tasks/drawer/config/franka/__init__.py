"""An object into a drawer with a Franka Panda."""

from apprentice.tasks.tabletop.registration import register

TASK_ID = "Apprentice-Drawer-Franka"

register(TASK_ID, cfg=f"{__name__}.env_cfg:DrawerFrankaEnvCfg", oracles="apprentice.tasks.drawer.operator:oracles")
