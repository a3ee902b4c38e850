"""Tasks for two Franka Pandas."""

from apprentice.tasks.registration import register

HANDOVER_TASK_ID = "Apprentice-Handover-TwoFrankas"
LID_TASK_ID = "Apprentice-Lid-TwoFrankas"
LIFT_TASK_ID = "Apprentice-LiftTray-TwoFrankas"
THREAD_TASK_ID = "Apprentice-Thread-TwoFrankas"

_CONFIGURATIONS = {
    HANDOVER_TASK_ID: "handover_env_cfg:HandoverEnvCfg",
    LID_TASK_ID: "lid_env_cfg:LidEnvCfg",
    LIFT_TASK_ID: "lift_env_cfg:LiftTrayEnvCfg",
    THREAD_TASK_ID: "thread_env_cfg:ThreadEnvCfg",
}

for _task, _cfg in _CONFIGURATIONS.items():
    register(
        _task,
        cfg=f"{__name__}.{_cfg}",
        env="apprentice.tasks.two_arms.env:TwoArmsMimicEnv",
        oracles="apprentice.tasks.two_arms.operator:oracles",
        robomimic_bc=None,
    )
