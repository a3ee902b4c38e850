"""The environment of tasks with one arm, with a Mimic interface that serves all environments in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLMimicEnv
from torch import Tensor

from apprentice.poses import exp_rotation, log_rotation, make_pose, position, rotation, rotation_from_quat
from apprentice.robots.hands import Hand
from apprentice.tasks.readings import object_pose, tcp_pose


class OneArmMimicEnv(ManagerBasedRLMimicEnv):
    """A task with one arm, whose end effector is the one that the configuration's subtasks name.

    Actions are those of Isaac Lab's stacking task: displacement (m), rotation vector (rad), gripper (1 open).
    """

    hand: Hand
    """The gripper. The end effector's pose is that of its grasp frame."""

    @property
    def objects(self) -> tuple[str, ...]:
        """Objects that subtasks may be about."""
        loose = getattr(self.cfg, "loose_objects", ())
        rigid = (name for name in self.scene.rigid_objects if name not in loose)
        return (*rigid, *getattr(self.cfg, "articulated_objects", {}))

    def get_robot_eef_pose(self, eef_name: str, env_ids: Sequence[int] | None = None) -> Tensor:
        """Pose between the fingertips, in the environment's frame. Shape (K, 4, 4)."""
        positions, quats = tcp_pose(self)
        poses = make_pose(positions - self.scene.env_origins, rotation_from_quat(quats))
        return poses if env_ids is None else poses[env_ids]

    def get_object_poses(self, env_ids: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Pose of each object, in the environment's frame. Shape (K, 4, 4) each."""
        poses = {}
        for name in self.objects:
            state = object_pose(self, name)
            pose = make_pose(state[:, :3] - self.scene.env_origins, rotation_from_quat(state[:, 3:7]))
            poses[name] = pose if env_ids is None else pose[env_ids]
        return poses

    def target_eef_poses_to_actions(self, targets: dict[str, Tensor], grippers: dict[str, Tensor]) -> Tensor:
        """Actions that ask every environment's hand to go to its target.

        Args:
            targets: Target pose of the end effector, environment frame. Shape (N, 4, 4).
            grippers: Gripper command. Shape (N, 1).

        Returns:
            Actions. Shape (N, 7).
        """
        return self._actions(self.get_robot_eef_pose(self._eef), targets[self._eef], grippers[self._eef])

    def target_eef_pose_to_action(
        self,
        target_eef_pose_dict: dict[str, Tensor],
        gripper_action_dict: dict[str, Tensor],
        action_noise_dict: dict[str, float] | None = None,
        env_id: int = 0,
    ) -> Tensor:
        """Isaac Lab's interface: the same for one environment, with optional noise. Shape (7,)."""
        current = self.get_robot_eef_pose(self._eef, [env_id])
        action = self._actions(current, target_eef_pose_dict[self._eef][None], gripper_action_dict[self._eef][None])[0]
        if action_noise_dict is not None:
            action[:6] = (action[:6] + action_noise_dict[self._eef] * torch.randn_like(action[:6])).clamp(-1.0, 1.0)
        return action

    def action_to_target_eef_pose(self, action: Tensor) -> dict[str, Tensor]:
        """Pose that each action asks for, the inverse of `target_eef_poses_to_actions`. Shape (N, 4, 4)."""
        current = self.get_robot_eef_pose(self._eef)
        turned = exp_rotation(action[:, 3:6]) @ rotation(current)
        return {self._eef: make_pose(position(current) + action[:, :3], turned)}

    def actions_to_gripper_actions(self, actions: Tensor) -> dict[str, Tensor]:
        """Gripper part of actions. Shape (..., 1)."""
        return {self._eef: actions[..., -1:]}

    def get_subtask_term_signals(self, env_ids: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Whether each subtask is done, as of the last observation. Shape (K,) each."""
        signals: Any = self.obs_buf["subtask_terms"]
        return {name: signal if env_ids is None else signal[env_ids] for name, signal in signals.items()}

    @property
    def _eef(self) -> str:
        cfg: Any = self.cfg
        return next(iter(cfg.subtask_configs))

    @staticmethod
    def _actions(current: Tensor, target: Tensor, gripper: Tensor) -> Tensor:
        turn = log_rotation(rotation(target) @ rotation(current).transpose(-1, -2))
        return torch.cat((position(target) - position(current), turn, gripper), -1)
