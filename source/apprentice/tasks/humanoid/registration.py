"""Registers the humanoid tasks for a robot. Loads nothing else."""

from __future__ import annotations

from apprentice.tasks.registration import register

_OPERATORS = {"Handover": "handover", "LiftBox": "lift_box", "PickPlace": "pick_place"}
"""By family, the function of `apprentice.tasks.humanoid.operator` that knows the way through it."""


def register_for(robot: str, package: str) -> None:
    """Make the tasks known that a robot does, once.

    Args:
        robot: Its name, as it stands in ids and in the names of configurations.
        package: Its package, whose module `env_cfg` has a configuration for each family.
    """
    for family, operator in _OPERATORS.items():
        register(
            f"Apprentice-{family}-{robot}",
            cfg=f"{package}.env_cfg:{family}{robot}EnvCfg",
            env="apprentice.tasks.humanoid.env:HumanoidMimicEnv",
            oracles=f"apprentice.tasks.humanoid.operator:{operator}",
            robomimic_bc=None,
        )
