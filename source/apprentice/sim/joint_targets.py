"""Joint position targets written through arrays that stay, for the `native` backend.

Isaac Lab makes a Warp array from the list of joints at every physics step, and with new arrays no launch can be
repeated as it was packed (`warp_launches`). Here joints and targets keep their arrays.
"""

from __future__ import annotations

from typing import Any

import torch
import warp as wp
from isaaclab.envs.mdp.actions.binary_joint_actions import BinaryJointPositionAction


class JointTargets:
    """Writes position targets of some joints of an articulation, in all environments."""

    def __init__(self, asset: Any, joint_ids: Any) -> None:
        """Prepare the arrays.

        Args:
            asset: The articulation.
            joint_ids: Indices of its K joints, or a slice, or the Warp array that Isaac Lab's gripper action makes.
        """
        self._command = asset.actuators.target_command
        if not isinstance(joint_ids, wp.array):
            chosen = torch.arange(asset.num_joints)[joint_ids]
            joint_ids = wp.array(chosen.tolist(), dtype=wp.int32, device=asset.device)
        self._joint_ids = joint_ids
        self._array = wp.zeros((asset.num_instances, len(joint_ids)), dtype=wp.float32, device=asset.device)
        self._view = wp.to_torch(self._array)

    def write(self, target: torch.Tensor) -> None:
        """Set the targets (rad or m). Shape (N, K)."""
        self._view[:] = target
        self._command.set_position_index(value=self._array, joint_ids=self._joint_ids)


class SteadyBinaryJointPositionAction(BinaryJointPositionAction):
    """Isaac Lab's open-or-close gripper action with the same targets, written for less."""

    _targets: JointTargets | None = None

    def apply_actions(self) -> None:
        if self._targets is None:
            self._targets = JointTargets(self._asset, self._joint_ids)
        self._targets.write(self._processed_actions)
