"""Hands whose finger joints are part of an open environment's action, one by one.

Wherever a gripper is one number, from -1 closed to 1 open, such a hand has a posture for it, between open and closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from apprentice.robots.fingers import FingeredHand

from .eef_maps import action_to_gripper, target_to_action

if TYPE_CHECKING:
    from .registry import TaskInfo

Grips = Mapping[str, Tensor]
"""Gripper command by end effector, 1 open to -1 closed. Shape (N, 1) each."""


@dataclass(kw_only=True, frozen=True)
class FingerColumns:
    """One hand's part of an action."""

    hand: FingeredHand
    """Whose fingers these are."""
    columns: tuple[int, ...]
    """Where of the action the joint targets (rad) stand, in the order of `hand.open`. J of them."""

    @property
    def open(self) -> Tensor:
        """Targets of the open hand (rad). Shape (J,)."""
        return torch.tensor(list(self.hand.open.values()))

    @property
    def closed(self) -> Tensor:
        """Targets of the closed hand (rad). Shape (J,)."""
        return torch.tensor([self.hand.closed[name] for name in self.hand.open])

    def of(self, actions: Tensor) -> Tensor:
        """The targets that actions hold (rad). Shapes (N, A) and (N, J)."""
        return actions[:, list(self.columns)]

    def posture(self, grip: Tensor) -> Tensor:
        """Targets (rad) for gripper commands, 1 open to -1 closed. Shapes (..., 1) and (..., J)."""
        return torch.lerp(self.closed, self.open, (0.5 + 0.5 * grip).to(torch.float32))

    def grip(self, posture: Tensor) -> Tensor:
        """How far open such targets are, 1 open to -1 closed, as one number. Shapes (..., J) and (..., 1)."""
        moving = self.closed != self.open
        shares = (posture.to(torch.float32) - self.open)[..., moving] / (self.closed - self.open)[moving]
        return (1.0 - 2.0 * shares.mean(-1, keepdim=True)).clamp(-1.0, 1.0)


def finger_columns(env: Any, info: TaskInfo) -> dict[str, FingerColumns]:
    """By end effector, the hands whose fingers actions command; empty for tasks with grippers.

    Hands go by "left" and "right" in the names of end effectors.

    Args:
        env: The environment, unwrapped.
        info: The task.
    """
    found: dict[str, FingerColumns] = {}
    columns = _joint_columns(env)
    if not columns:
        return found
    from apprentice.robots.fingered import hands_of

    for hand in hands_of(columns):
        for eef in info.eef_names:
            if ("left" if "left" in eef.lower() else "right") == hand.side:
                found[eef] = FingerColumns(hand=hand, columns=tuple(columns[name] for name in hand.open))
    return found


def _joint_columns(env: Any) -> dict[str, int]:
    """Entries of the action that are a joint's target (rad), by the joint's name."""
    manager, column, found = env.action_manager, 0, dict[str, int]()
    for name in manager.active_terms:
        term = manager.get_term(name)
        kinds = {kind.__name__ for kind in type(term).__mro__}  # on `native` cheaper terms stand in for Isaac Lab's
        joints: list[str] = []
        if "PinkInverseKinematicsAction" in kinds:
            joints = term._hand_joint_names
        elif "JointPositionAction" in kinds and not term.cfg.use_default_offset and term.cfg.scale == 1.0:
            joints = term._joint_names
        first = column + term.action_dim - len(joints)
        found |= {joint: first + index for index, joint in enumerate(joints)}
        column += term.action_dim
    return found


def actions_with_fingers(
    env: Any, hands: Mapping[str, FingerColumns], targets: Mapping[str, Tensor], grips: Grips, postures: Grips
) -> Tensor:
    """Actions that send end effectors to their targets, and hands into postures.

    Args:
        env: A `ManagerBasedRLMimicEnv`, unwrapped.
        hands: From `finger_columns`.
        targets: Target pose per end effector, environment frame. Shape (N, 4, 4) each.
        grips: Of end effectors that are no such hands.
        postures: Finger joint targets (rad) of those that are. Shape (N, J) each.

    Returns:
        Shape (N, A).
    """
    if not hands:
        return target_to_action(env, targets, grips)
    blank = torch.zeros(env.num_envs, env.action_manager.total_action_dim, device=env.device)
    # a stock environment may mix up whose joints are whose: what it takes for a hand's is filled in afterwards
    given = {eef: grips[eef] if eef not in hands else part for eef, part in action_to_gripper(env, blank).items()}
    actions = target_to_action(env, targets, given)
    for eef, hand in hands.items():
        actions[:, list(hand.columns)] = postures[eef].to(actions)
    return actions


def grips_of(env: Any, hands: Mapping[str, FingerColumns], actions: Tensor) -> dict[str, Tensor]:
    """Gripper commands that actions hold, one number for every end effector. Shapes (N, A) and (N, G) each."""
    return {
        eef: hands[eef].grip(hands[eef].of(actions)) if eef in hands else part
        for eef, part in action_to_gripper(env, actions).items()
    }
