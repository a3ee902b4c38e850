"""Tasks for two patient-side manipulators."""

from apprentice.tasks.registration import register

PEG_TRANSFER_TASK_ID = "Apprentice-PegTransfer-TwoPSMs"

register(
    PEG_TRANSFER_TASK_ID,
    cfg=f"{__name__}.peg_transfer_env_cfg:PegTransferEnvCfg",
    env=f"{__name__}.env:TwoPSMsMimicEnv",
    oracles="apprentice.tasks.two_arms.peg_transfer_operator:oracles",
    robomimic_bc=None,
)
