"""Hands that Isaac Lab's Pink controller moves, where a task has no Mimic interface: as much of one as driving takes.

An action of such a task holds the pose of each hand's link, position (m) and quaternion xyzw in the environment's
frame, and then the targets of all finger joints (rad).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from apprentice.poses import make_pose, quat_from_rotation, rotation, rotation_from_quat
from apprentice.poses import position as position_of

_SIDES = ("left", "right")
_POSE = 7
"""Numbers that a pose takes."""


def pink_hands(env_cfg: Any) -> tuple[str, ...]:
    """End effectors of a task whose only action is that controller's for a left and a right hand; empty for others."""
    terms = [term for term in vars(env_cfg.actions).values() if term is not None]
    if len(terms) != 1 or type(terms[0]).__name__ != "PinkInverseKinematicsActionCfg":
        return ()
    named = tuple(name.partition("_")[0] for name in terms[0].target_eef_link_names)
    return named if sorted(named) == list(_SIDES) else ()


def hand_poses(term: Any) -> Tensor:
    """Where the links are that an open controller moves, environment frame, in their order. Shape (N, E, 7)."""
    robot = term._asset
    links = [robot.body_names.index(name) for name in term.cfg.target_eef_link_names.values()]
    poses = robot.data.body_link_pose_w.torch[:, links].clone()
    poses[..., :3] -= term._env.scene.env_origins[:, None]
    return poses


@cache
def driven(env_class: type[Any]) -> type[Any]:
    """An environment's class with the methods by which end effectors are driven."""
    return type(f"Driven{env_class.__name__}", (_PinkHands, env_class), {})


class _PinkHands:
    """The part of Isaac Lab's Mimic interface that says where hands are and how they are told to move."""

    action_manager: Any
    num_envs: int
    device: Any

    def get_robot_eef_pose(self, eef_name: str, env_ids: Sequence[int] | None = None) -> Tensor:
        """Link of a hand, in the environment's frame. Shape (K, 4, 4)."""
        pose = hand_poses(self._term)[:, self._names.index(eef_name)]
        pose = make_pose(pose[:, :3], rotation_from_quat(pose[:, 3:]))
        return pose if env_ids is None else pose[env_ids]

    def target_eef_poses_to_actions(self, targets: Mapping[str, Tensor], grippers: Mapping[str, Tensor]) -> Tensor:
        """Actions that send hands to their targets. Shapes (N, 4, 4) and (N, G) each, and (N, A)."""
        actions = torch.zeros(self.num_envs, self.action_manager.total_action_dim, device=self.device)
        for index, eef in enumerate(self._names):
            target = torch.cat((position_of(targets[eef]), quat_from_rotation(rotation(targets[eef]))), -1)
            actions[:, _POSE * index : _POSE * (index + 1)] = target
            actions[:, self._fingers(eef)] = grippers[eef].to(actions)
        return actions

    def action_to_target_eef_pose(self, action: Tensor) -> dict[str, Tensor]:
        """Poses that actions ask for. Shapes (N, A) and (N, 4, 4) each."""
        parts = action[:, : _POSE * len(self._names)].unflatten(1, (-1, _POSE)).unbind(1)
        poses = [make_pose(part[:, :3], rotation_from_quat(part[:, 3:])) for part in parts]
        return dict(zip(self._names, poses, strict=True))

    def actions_to_gripper_actions(self, actions: Tensor) -> dict[str, Tensor]:
        """Finger joint targets of actions (rad). Shapes (..., A) and (..., G) each."""
        return {eef: actions[..., self._fingers(eef)] for eef in self._names}

    @property
    def _term(self) -> Any:
        (name,) = self.action_manager.active_terms
        return self.action_manager.get_term(name)

    @property
    def _names(self) -> list[str]:
        return [name.partition("_")[0] for name in self._term.cfg.target_eef_link_names]

    def _fingers(self, eef: str) -> list[int]:
        first = _POSE * len(self._names)
        named = enumerate(self._term._hand_joint_names, first)
        return [column for column, joint in named if joint.lower().startswith((f"{eef}_", f"{eef[0]}_"))]
