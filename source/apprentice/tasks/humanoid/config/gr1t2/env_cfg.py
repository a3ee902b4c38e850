"""The humanoid tasks for the Fourier GR1T2 with six-motor hands."""

from __future__ import annotations

from typing import Any

from isaaclab.utils import configclass

from apprentice.robots.gr1t2 import HUMANOID
from apprentice.tasks.humanoid.handover_env_cfg import HandoverEnvCfg
from apprentice.tasks.humanoid.lift_box_env_cfg import LiftBoxEnvCfg
from apprentice.tasks.humanoid.pick_place_env_cfg import PickPlaceEnvCfg


@configclass
class HandoverGR1T2EnvCfg(HandoverEnvCfg):
    """Hand the stick from the right hand to the left one, which holds it aside."""

    task_id: str = "Apprentice-Handover-GR1T2"
    humanoid: Any = HUMANOID


@configclass
class HandoverGR1T2FingersEnvCfg(HandoverGR1T2EnvCfg):
    """The same with the target of every finger joint in its actions."""

    task_id: str = "Apprentice-Handover-GR1T2-Fingers"
    fingers: bool = True


@configclass
class LiftBoxGR1T2EnvCfg(LiftBoxEnvCfg):
    """Take the box by its handles and lift it, level."""

    task_id: str = "Apprentice-LiftBox-GR1T2"
    humanoid: Any = HUMANOID


@configclass
class PickPlaceGR1T2EnvCfg(PickPlaceEnvCfg):
    """Stand the brick on the pad."""

    task_id: str = "Apprentice-PickPlace-GR1T2"
    humanoid: Any = HUMANOID


@configclass
class PickPlaceGR1T2FingersEnvCfg(PickPlaceGR1T2EnvCfg):
    """The same with the target of every finger joint in its actions."""

    task_id: str = "Apprentice-PickPlace-GR1T2-Fingers"
    fingers: bool = True
