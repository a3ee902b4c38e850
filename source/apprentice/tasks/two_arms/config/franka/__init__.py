"""Tasks for two Franka Pandas."""

from apprentice.tasks.registration import register

HANDOVER_TASK_ID = "Apprentice-Handover-TwoFrankas"
LIFT_TASK_ID = "Apprentice-LiftTray-TwoFrankas"

_CONFIGURATIONS = {
    HANDOVER_TASK_ID: "handover_env_cfg:HandoverEnvCfg",
    LIFT_TASK_ID: "lift_env_cfg:LiftTrayEnvCfg",
}

for _task, _cfg in _CONFIGURATIONS.items():
    register(
        _task,
        cfg=f"{__name__}.{_cfg}",
        env="apprentice.tasks.two_arms.env:TwoArmsMimicEnv",
        oracles="apprentice.tasks.two_arms.operator:oracles",
        robomimic_bc=None,
    )
