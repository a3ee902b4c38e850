"""Differential inverse kinematics of an arm that works near its joint limits."""

from __future__ import annotations

from isaaclab.controllers.differential_ik import DifferentialIKController
from torch import Tensor

_AT_LIMIT_RAD = 0.005
"""Nearer than this to a limit, a joint stands at it."""


class LimitedIK(DifferentialIKController):
    """Isaac Lab's controller, but joints that stand at a limit take no part in what would take them beyond it.

    Otherwise their share of the motion is lost, and the hand stops where the others balance that: centimetres away from
    places that it can reach.
    """

    def compute(self, ee_pos: Tensor, ee_quat: Tensor, jacobian: Tensor, joint_pos: Tensor) -> Tensor:
        """Joint positions to go to. Shape (N, K). Arguments as of `DifferentialIKController.compute`."""
        wanted = super().compute(ee_pos, ee_quat, jacobian, joint_pos)
        lower, upper = self._joint_pos_lower, self._joint_pos_upper
        if lower is None or upper is None:
            return wanted
        low, high = joint_pos < lower + _AT_LIMIT_RAD, joint_pos > upper - _AT_LIMIT_RAD
        stuck = (low & (wanted < joint_pos)) | (high & (wanted > joint_pos))
        if not stuck.any():
            return wanted
        return super().compute(ee_pos, ee_quat, jacobian * ~stuck[:, None], joint_pos)
