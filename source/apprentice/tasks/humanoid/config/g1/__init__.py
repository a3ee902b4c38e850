"""Tasks for the Unitree G1 with Dex3 hands."""

import gymnasium as gym

HANDOVER_TASK_ID = "Apprentice-Handover-G1"
PICK_PLACE_TASK_ID = "Apprentice-PickPlace-G1"

_CONFIGURATIONS = {
    HANDOVER_TASK_ID: "handover_env_cfg:HandoverEnvCfg",
    PICK_PLACE_TASK_ID: "pick_place_env_cfg:PickPlaceEnvCfg",
}

for _task, _cfg in _CONFIGURATIONS.items():
    if _task not in gym.registry:
        gym.register(
            id=_task,
            entry_point="apprentice.tasks.humanoid.env:HumanoidMimicEnv",
            kwargs={
                "env_cfg_entry_point": f"{__name__}.{_cfg}",
                "oracles_entry_point": "apprentice.tasks.humanoid.operator:oracles",
            },
            disable_env_checker=True,
        )
