"""Inverse kinematics of an arm in MuJoCo's model, as the controller would do it, without simulating anything."""

# pyright: reportAttributeAccessIssue=false
# mujoco is compiled and has no types

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CLOSE_M = 0.002
_CLOSE_RAD = 0.01
"""How exactly the hand must arrive."""
_ASKEW_RAD = 0.3
"""How much the hand may be askew where the controller counts orientation for less: an arm of five joints cannot have
every one."""
_ITERATIONS = 25
_DAMPING = 0.02
_ARRIVED_STEP = 0.002
"""A change of the joints below which more iterations gain nothing."""
_LONGEST_STEP = 0.4
"""Largest change of a joint in one iteration (rad or m)."""


class Arm:
    """The joints, K of them, that move a hand."""

    def __init__(self, model: Any, joints: NDArray[np.int64], hand: int, orientation_weight: Any) -> None:
        """Describe them.

        Args:
            model: MuJoCo's.
            joints: Their numbers in it. Shape (K,).
            hand: Number of the body that is brought to places.
            orientation_weight: How much the controller's errors of orientation count, a number or three of them.
                None for a controller that knows no such weight, nor the limits of joints.
        """
        self.model, self.hand = model, hand
        self._joints = joints
        self.places = model.jnt_qposadr[joints]
        """Where they stand in the model's state. Shape (K,)."""
        limited = model.jnt_limited[joints].astype(bool)
        self.low = np.where(limited, model.jnt_range[joints, 0], -np.inf)
        """Lower joint limits (rad or m). Shape (K,)."""
        self.high = np.where(limited, model.jnt_range[joints, 1], np.inf)
        """Upper joint limits. Shape (K,)."""
        self._slides = model.jnt_type[joints] == mujoco.mjtJoint.mjJNT_SLIDE
        weight = orientation_weight
        self._turn_weight = None if weight is None else np.broadcast_to(np.asarray(weight, dtype=float), 3)

    def reach(self, data: Any, target: Array, seed: Array) -> Array | None:
        """Joint positions within their limits that bring the hand to a pose, or None if none were found.

        Steps of least norm from the seed, as the controller makes them: along a path, the arm stays in one posture.

        Args:
            data: MuJoCo's, in which the arm is moved.
            target: Pose of the hand's body. Shape (4, 4).
            seed: Joint positions to start from. Shape (K,).

        Returns:
            Shape (K,).
        """
        joints = seed.copy()
        error = np.empty(6)
        for _ in range(_ITERATIONS):
            data.qpos[self.places] = joints
            mujoco.mj_kinematics(self.model, data)
            error[:3] = target[:3, 3] - data.xpos[self.hand]
            error[3:] = _turn(data.xmat[self.hand].reshape(3, 3), target[:3, :3])
            if _norm(error[:3]) < _CLOSE_M and _norm(error[3:]) < _CLOSE_RAD:
                return joints
            jacobian = self._jacobian(data)
            if self._turn_weight is None:
                change = _least_squares(jacobian, error)
            else:
                near = _norm(error[:3]) < _CLOSE_M and _norm(error[3:]) < _ASKEW_RAD
                change = self._within_limits(jacobian, error, joints, self._turn_weight)
                if near and np.abs(change).max() < _ARRIVED_STEP:
                    return joints
            joints = joints + change * min(1.0, _LONGEST_STEP / max(float(np.abs(change).max()), 1e-9))
            joints = np.minimum(np.maximum(joints, self.low), self.high)
        return None

    def _jacobian(self, data: Any) -> Array:
        """Motion and turn of the hand by each joint, in the world's axes. Shape (K, 6)."""
        axes, arms = data.xaxis[self._joints], data.xpos[self.hand] - data.xanchor[self._joints]
        jacobian = np.concatenate((_crossed(axes, arms), axes), 1)
        if self._slides.any():
            jacobian[self._slides] = np.concatenate((axes, np.zeros_like(axes)), 1)[self._slides]
        return jacobian

    def _within_limits(self, jacobian: Array, error: Array, joints: Array, turn_weight: Array) -> Array:
        """Change of the joints, of which those at a limit take no part in what leads beyond it. Shape (K,)."""
        error[3:] *= turn_weight
        jacobian[:, 3:] *= turn_weight
        change = _least_squares(jacobian, error)
        stuck = ((joints <= self.low) & (change < 0)) | ((joints >= self.high) & (change > 0))
        if stuck.any():
            jacobian[stuck] = 0.0
            change = _least_squares(jacobian, error)
        return change


def _least_squares(jacobian: Array, error: Array) -> Array:
    """Damped change of the joints, shape (K,), of the transposed Jacobian (K, 6) and what is to be made up for (6,)."""
    square = jacobian.T @ jacobian
    square.flat[::7] += _DAMPING**2
    return jacobian @ np.linalg.solve(square, error)


def _turn(present: Array, wanted: Array) -> Array:
    """Rotation vector from one rotation to another, in the world's axes. Shape (3,)."""
    quat, vector = np.empty(4), np.empty(3)
    mujoco.mju_mat2Quat(quat, (wanted @ present.T).ravel())
    mujoco.mju_quat2Vel(vector, quat, 1.0)
    return vector


def _norm(vector: Array) -> float:
    return float(np.sqrt(vector @ vector))


def _crossed(one: Array, other: Array) -> Array:
    return one[:, [1, 2, 0]] * other[:, [2, 0, 1]] - one[:, [2, 0, 1]] * other[:, [1, 2, 0]]
