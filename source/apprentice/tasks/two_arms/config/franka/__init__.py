"""Tasks for two Franka Pandas."""

import gymnasium as gym

HANDOVER_TASK_ID = "Apprentice-Handover-TwoFrankas"
LIFT_TASK_ID = "Apprentice-LiftTray-TwoFrankas"

_CONFIGURATIONS = {
    HANDOVER_TASK_ID: "handover_env_cfg:HandoverEnvCfg",
    LIFT_TASK_ID: "lift_env_cfg:LiftTrayEnvCfg",
}

for _task, _cfg in _CONFIGURATIONS.items():
    if _task not in gym.registry:
        gym.register(
            id=_task,
            entry_point="apprentice.tasks.two_arms.env:TwoArmsMimicEnv",
            kwargs={
                "env_cfg_entry_point": f"{__name__}.{_cfg}",
                "oracles_entry_point": "apprentice.tasks.two_arms.operator:oracles",
            },
            disable_env_checker=True,
        )
