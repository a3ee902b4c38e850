"""Two arms at one table, with a Mimic interface that serves all environments in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLMimicEnv
from torch import Tensor

from apprentice.poses import exp_rotation, log_rotation, make_pose, position, rotation
from apprentice.sim.views import CameraView
from apprentice.tasks.two_arms.mdp.scene import EEFS, object_pose, tcp_pose

WIDTH = 7
"""Numbers that each arm takes of an action: displacement (m), rotation vector (rad), gripper (1 open)."""


class TwoArmsMimicEnv(ManagerBasedRLMimicEnv):
    """Actions are those of the left arm and then those of the right, see `WIDTH`."""

    camera_views: tuple[CameraView, ...] = (
        CameraView(name="front", eye_m=(1.7, -0.9, 0.9), target_m=(0.4, 0.0, 0.15)),
        CameraView(name="table", eye_m=(1.25, 0.0, 0.55), target_m=(0.45, 0.0, 0.05), field_of_view_deg=50.0),
    )
    """What can be seen of the task, the view for people first."""

    def get_robot_eef_pose(self, eef_name: str, env_ids: Sequence[int] | None = None) -> Tensor:
        """Pose between an arm's fingertips, in the environment's frame. Shape (K, 4, 4)."""
        pose = tcp_pose(self, eef_name)
        return pose if env_ids is None else pose[env_ids]

    def get_object_poses(self, env_ids: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Pose of each object, in the environment's frame. Shape (K, 4, 4) each."""
        poses = {name: object_pose(self, name) for name in self.scene.rigid_objects}
        return poses if env_ids is None else {name: pose[env_ids] for name, pose in poses.items()}

    def target_eef_poses_to_actions(self, targets: dict[str, Tensor], grippers: dict[str, Tensor]) -> Tensor:
        """Actions that ask both hands of every environment to go to their targets.

        Args:
            targets: Target pose per arm, environment frame. Shape (N, 4, 4).
            grippers: Gripper command per arm. Shape (N, 1).

        Returns:
            Actions. Shape (N, 14).
        """
        parts: list[Tensor] = []
        for eef in EEFS:
            current, target = tcp_pose(self, eef), targets[eef]
            turn = log_rotation(rotation(target) @ rotation(current).transpose(-1, -2))
            parts += [position(target) - position(current), turn, grippers[eef]]
        return torch.cat(parts, -1)

    def target_eef_pose_to_action(
        self,
        target_eef_pose_dict: dict[str, Tensor],
        gripper_action_dict: dict[str, Tensor],
        action_noise_dict: dict[str, float] | None = None,
        env_id: int = 0,
    ) -> Tensor:
        """Isaac Lab's interface: the same for one environment, with optional noise. Shape (14,)."""
        targets = {eef: pose.expand(self.num_envs, 4, 4) for eef, pose in target_eef_pose_dict.items()}
        grippers = {eef: grip.reshape(-1, 1).expand(self.num_envs, 1) for eef, grip in gripper_action_dict.items()}
        action = self.target_eef_poses_to_actions(targets, grippers)[env_id].clone()
        for index, eef in enumerate(EEFS):
            if action_noise_dict is not None:
                part = action[WIDTH * index : WIDTH * index + 6]
                part += action_noise_dict[eef] * torch.randn_like(part)
        return action

    def action_to_target_eef_pose(self, action: Tensor) -> dict[str, Tensor]:
        """Poses that actions ask for, the inverse of `target_eef_poses_to_actions`. Shape (N, 4, 4) each."""
        targets: dict[str, Tensor] = {}
        for eef, part in zip(EEFS, action.split(WIDTH, -1), strict=True):
            current = tcp_pose(self, eef)
            turned = exp_rotation(part[:, 3:6]) @ rotation(current)
            targets[eef] = make_pose(position(current) + part[:, :3], turned)
        return targets

    def actions_to_gripper_actions(self, actions: Tensor) -> dict[str, Tensor]:
        """Gripper parts of actions. Shape (..., 1) each."""
        return {eef: part[..., -1:] for eef, part in zip(EEFS, actions.split(WIDTH, -1), strict=True)}

    def get_subtask_term_signals(self, env_ids: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Whether each subtask is done, as of the last observation. Shape (K,) each."""
        signals: Any = self.obs_buf["subtask_terms"]
        return {name: signal if env_ids is None else signal[env_ids] for name, signal in signals.items()}
