"""The environment of tasks with hands that each have a part of the action, with a Mimic interface that serves all
environments in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLMimicEnv
from torch import Tensor

from apprentice.poses import (
    exp_rotation,
    log_rotation,
    make_pose,
    position,
    quat_from_rotation,
    rotation,
    rotation_from_quat,
)


class HandsMimicEnv(ManagerBasedRLMimicEnv):
    """A task whose actions hold for each hand a displacement (m), a rotation vector (rad) and its grip (1 open)."""

    @property
    def columns(self) -> dict[str, tuple[int, int]]:
        """By end effector, where of an action its displacement begins and where its grip is."""
        raise NotImplementedError

    def grip_width(self, eef: str) -> int:
        """Numbers that a hand's grip takes of an action, from where `columns` says."""
        return 1

    def hand_pose(self, eef: str) -> Tensor:
        """Grasp frame of a hand in the environment's frame. Shape (N, 4, 4)."""
        raise NotImplementedError

    def object_pose(self, name: str) -> Tensor:
        """An object in the environment's frame. Shape (N, 4, 4)."""
        pose = self.scene[name].data.root_link_pose_w.torch
        return make_pose(pose[:, :3] - self.scene.env_origins, rotation_from_quat(pose[:, 3:7]))

    def get_robot_eef_pose(self, eef_name: str, env_ids: Sequence[int] | None = None) -> Tensor:
        """Grasp frame of a hand, in the environment's frame. Shape (K, 4, 4)."""
        pose = self.hand_pose(eef_name)
        return pose if env_ids is None else pose[env_ids]

    def get_object_poses(self, env_ids: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Pose of each object, in the environment's frame. Shape (K, 4, 4) each."""
        loose = getattr(self.cfg, "loose_objects", ())
        poses = {name: self.object_pose(name) for name in self.scene.rigid_objects if name not in loose}
        return poses if env_ids is None else {name: pose[env_ids] for name, pose in poses.items()}

    def target_eef_poses_to_actions(self, targets: dict[str, Tensor], grippers: dict[str, Tensor]) -> Tensor:
        """Actions that ask the hands of every environment to go to their targets.

        Args:
            targets: Target pose per hand, environment frame. Shape (N, 4, 4).
            grippers: Grip per hand. Shape (N, G).

        Returns:
            Actions. Shape (N, A).
        """
        actions = torch.zeros(self.num_envs, self.action_manager.total_action_dim, device=self.device)
        for eef, (first, grip) in self.columns.items():
            current, target = self.hand_pose(eef), targets[eef]
            turn = log_rotation(rotation(target) @ rotation(current).transpose(-1, -2))
            actions[:, first : first + 6] = torch.cat((position(target) - position(current), turn), -1)
            actions[:, grip : grip + self.grip_width(eef)] = grippers[eef]
        return actions

    def target_eef_pose_to_action(
        self,
        target_eef_pose_dict: dict[str, Tensor],
        gripper_action_dict: dict[str, Tensor],
        action_noise_dict: dict[str, float] | None = None,
        env_id: int = 0,
    ) -> Tensor:
        """Isaac Lab's interface: the same for one environment, with optional noise. Shape (A,)."""
        targets = {eef: pose.expand(self.num_envs, 4, 4) for eef, pose in target_eef_pose_dict.items()}
        grippers = {eef: grip.reshape(1, -1).expand(self.num_envs, -1) for eef, grip in gripper_action_dict.items()}
        action = self.target_eef_poses_to_actions(targets, grippers)[env_id].clone()
        if action_noise_dict is not None:
            for eef, (first, _) in self.columns.items():
                part = action[first : first + 6]
                part += action_noise_dict[eef] * torch.randn_like(part)
        return action

    def action_to_target_eef_pose(self, action: Tensor) -> dict[str, Tensor]:
        """Poses that actions ask for, the inverse of `target_eef_poses_to_actions`. Shape (N, 4, 4) each."""
        targets: dict[str, Tensor] = {}
        for eef, (first, _) in self.columns.items():
            current, part = self.hand_pose(eef), action[:, first : first + 6]
            turned = exp_rotation(part[:, 3:]) @ rotation(current)
            targets[eef] = make_pose(position(current) + part[:, :3], turned)
        return targets

    def actions_to_gripper_actions(self, actions: Tensor) -> dict[str, Tensor]:
        """Grips of actions. Shape (..., G) each."""
        return {eef: actions[..., grip : grip + self.grip_width(eef)] for eef, (_, grip) in self.columns.items()}

    def get_subtask_term_signals(self, env_ids: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Whether each subtask is done, as of the last observation. Shape (K,) each."""
        signals: Any = self.obs_buf["subtask_terms"]
        return {name: signal if env_ids is None else signal[env_ids] for name, signal in signals.items()}


def hand_pos(env: HandsMimicEnv, eef: str) -> Tensor:
    """Observation: where a hand is, in the environment's frame. Shape (N, 3)."""
    return position(env.hand_pose(eef))


def hand_quat(env: HandsMimicEnv, eef: str) -> Tensor:
    """Observation: orientation of a hand, xyzw. Shape (N, 4)."""
    return quat_from_rotation(rotation(env.hand_pose(eef)))


def object_state(env: HandsMimicEnv, name: str) -> Tensor:
    """Observation: position and quaternion xyzw of an object in the environment's frame. Shape (N, 7)."""
    pose = env.object_pose(name)
    return torch.cat((position(pose), quat_from_rotation(rotation(pose))), -1)
