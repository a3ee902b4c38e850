"""Registers the humanoid tasks for a robot. Loads nothing else."""

from __future__ import annotations

from apprentice.tasks.registration import register

_STANDING = {"Handover": "handover", "LiftBox": "lift_box", "PickPlace": "pick_place"}
"""By family, the function of `apprentice.tasks.humanoid.operator` that knows the way through it."""
_WALKING = {"WalkPickPlace": "walk_pick_place"}
"""The same for a robot on a base."""

_WITH_FINGERS = ("Handover", "PickPlace")
"""Families that there are, too, with the target of every finger joint in their actions."""

_ENVS = ("apprentice.tasks.humanoid.env:HumanoidMimicEnv", "apprentice.tasks.humanoid.walking_env:WalkingMimicEnv")
"""The environment of a robot that stands, and of one on a base."""


def register_for(robot: str, package: str, *, walks: bool = False) -> None:
    """Make the tasks known that a robot does, once.

    Args:
        robot: Its name, as it stands in ids and in the names of configurations.
        package: Its package, whose module `env_cfg` has a configuration for each family.
        walks: Whether it has those, too, of a robot on a base.
    """
    for family, operator in (_STANDING | (_WALKING if walks else {})).items():
        for ending in ("", "Fingers") if family in _WITH_FINGERS else ("",):
            register(
                f"Apprentice-{family}-{robot}" + (f"-{ending}" if ending else ""),
                cfg=f"{package}.env_cfg:{family}{robot}{ending}EnvCfg",
                env=_ENVS[family in _WALKING],
                oracles=f"apprentice.tasks.humanoid.operator:{operator}",
                robomimic_bc=None,
            )
