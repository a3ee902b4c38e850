"""The humanoid tasks for the Unitree G1 with Dex3 hands."""

from __future__ import annotations

from typing import Any

from isaaclab.utils import configclass

from apprentice.robots.g1 import HUMANOID, HUMANOID_ON_BASE
from apprentice.tasks.humanoid.handover_env_cfg import HandoverEnvCfg
from apprentice.tasks.humanoid.lift_box_env_cfg import LiftBoxEnvCfg
from apprentice.tasks.humanoid.pick_place_env_cfg import PickPlaceEnvCfg
from apprentice.tasks.humanoid.walk_pick_place_env_cfg import WalkPickPlaceEnvCfg


@configclass
class HandoverG1EnvCfg(HandoverEnvCfg):
    """Hand the stick from the right hand to the left one, which holds it aside."""

    task_id: str = "Apprentice-Handover-G1"
    humanoid: Any = HUMANOID


@configclass
class HandoverG1FingersEnvCfg(HandoverG1EnvCfg):
    """The same with the target of every finger joint in its actions."""

    task_id: str = "Apprentice-Handover-G1-Fingers"
    fingers: bool = True


@configclass
class LiftBoxG1EnvCfg(LiftBoxEnvCfg):
    """Take the box by its handles and lift it, level."""

    task_id: str = "Apprentice-LiftBox-G1"
    humanoid: Any = HUMANOID


@configclass
class PickPlaceG1EnvCfg(PickPlaceEnvCfg):
    """Stand the brick on the pad."""

    task_id: str = "Apprentice-PickPlace-G1"
    humanoid: Any = HUMANOID


@configclass
class PickPlaceG1FingersEnvCfg(PickPlaceG1EnvCfg):
    """The same with the target of every finger joint in its actions."""

    task_id: str = "Apprentice-PickPlace-G1-Fingers"
    fingers: bool = True


@configclass
class WalkPickPlaceG1EnvCfg(WalkPickPlaceEnvCfg):
    """Carry the brick to the other table, and stand it on the pad there."""

    task_id: str = "Apprentice-WalkPickPlace-G1"
    humanoid: Any = HUMANOID_ON_BASE
