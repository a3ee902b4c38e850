"""Tasks for the Unitree G1 with Dex3 hands."""

from apprentice.tasks.registration import register

HANDOVER_TASK_ID = "Apprentice-Handover-G1"
LIFT_BOX_TASK_ID = "Apprentice-LiftBox-G1"
PICK_PLACE_TASK_ID = "Apprentice-PickPlace-G1"

_CONFIGURATIONS = {
    HANDOVER_TASK_ID: "handover_env_cfg:HandoverEnvCfg",
    LIFT_BOX_TASK_ID: "lift_box_env_cfg:LiftBoxEnvCfg",
    PICK_PLACE_TASK_ID: "pick_place_env_cfg:PickPlaceEnvCfg",
}

for _task, _cfg in _CONFIGURATIONS.items():
    register(
        _task,
        cfg=f"{__name__}.{_cfg}",
        env="apprentice.tasks.humanoid.env:HumanoidMimicEnv",
        oracles="apprentice.tasks.humanoid.operator:oracles",
        robomimic_bc=None,
    )
