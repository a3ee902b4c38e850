"""What the tasks of humanoids have in common: one stands at a table, looking along x, its hands over the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any

from isaaclab.envs.mdp.actions.actions_cfg import BinaryJointPositionActionCfg, JointPositionActionCfg
from isaaclab.managers import ObservationGroupCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.utils import configclass

from apprentice.robots.humanoid import DexterousHand, Humanoid
from apprentice.robots.whole_body import WholeBodyCfg
from apprentice.tasks.hands_cfg import HandsTaskCfg, light, observed, table
from apprentice.tasks.hands_env import hand_pos, hand_quat

from .mdp import scene
from .mdp.actions import WholeBodyActionCfg
from .mdp.base import KeepUpCfg, PlanarBaseActionCfg


@configclass
class HumanoidSceneCfg(InteractiveSceneCfg):
    """The robot, and a table whose top is at height 0."""

    robot: Any = MISSING
    table = table((0.7, 1.4, 0.04), 0.6)
    light = light()


@configclass
class HandsActionsCfg:
    """The hands' motion, the grip of each, and the base; None for a hand that takes no part, or without a base."""

    reach: Any = None
    left_grip: Any = None
    right_grip: Any = None
    base: Any = None


@configclass
class OneHandPolicyCfg(ObservationGroupCfg):
    """What a policy sees of the right hand."""

    right_eef_pos = observed(hand_pos, eef="right")
    right_eef_quat = observed(hand_quat, eef="right")
    right_hand_joints = observed(scene.hand_joints, eef="right")

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class TwoHandsPolicyCfg(OneHandPolicyCfg):
    """What a policy sees of both hands."""

    left_eef_pos = observed(hand_pos, eef="left")
    left_eef_quat = observed(hand_quat, eef="left")
    left_hand_joints = observed(scene.hand_joints, eef="left")


@configclass
class HumanoidTaskCfg(HandsTaskCfg):
    """A task of a humanoid at a table. Each robot's states which one it is."""

    task_id: str = ""
    """Its id."""
    humanoid: Any = None
    """The robot, a `Humanoid`."""
    fingers: bool = False
    """Whether actions hold the target of every finger joint, rather than open and close each hand by one number."""
    keep_up: KeepUpCfg = KeepUpCfg()
    """Of a robot on a base: how that keeps up with the hand where nobody says what it is to do."""
    scene: Any = HumanoidSceneCfg(num_envs=1, env_spacing=3.0)
    actions: Any = HandsActionsCfg()

    def settle(self, name: str) -> None:
        robot = self.humanoid.articulation().replace(prim_path="{ENV_REGEX_NS}/Robot")
        robot.init_state.pos = (0.0, 0.0, self.humanoid.above_table_m)
        self.scene.robot = robot
        hands = {eef: self.humanoid.hands[eef] for eef in self.subtask_configs}
        self.actions.reach = _reach(self.humanoid, hands)
        for eef, hand in hands.items():
            setattr(self.actions, f"{eef}_grip", _finger_joints(hand) if self.fingers else _grip(hand))
        if self.humanoid.base is not None:
            self.actions.base = PlanarBaseActionCfg(asset_name="robot", base=self.humanoid.base)
        super().settle(name)


def _reach(humanoid: Humanoid, hands: Mapping[str, DexterousHand]) -> WholeBodyActionCfg:
    """Moves hands, and the waist that they share."""
    return WholeBodyActionCfg(
        asset_name="robot",
        tools={hand.link: hand.grasp for hand in hands.values()},
        base=None if humanoid.base is None else humanoid.base.link,
        scale=0.45,  # evens out unsteady commands: the joints alone would follow each of them within a step
        solver=WholeBodyCfg(reluctance=dict.fromkeys(humanoid.waist_joints, 4.0)),
    )


def _grip(hand: DexterousHand) -> BinaryJointPositionActionCfg:
    """Opens and closes a hand."""
    return BinaryJointPositionActionCfg(
        asset_name="robot",
        joint_names=list(hand.open),
        open_command_expr=hand.open,
        close_command_expr=hand.closed,
    )


def _finger_joints(hand: DexterousHand) -> JointPositionActionCfg:
    """Tells each finger joint where to go (rad)."""
    return JointPositionActionCfg(
        asset_name="robot", joint_names=list(hand.open), preserve_order=True, use_default_offset=False
    )
