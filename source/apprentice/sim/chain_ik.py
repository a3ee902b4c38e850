"""Isaac Lab's differential-IK action with a cheaper Jacobian, for the `native` backend.

Isaac Lab asks Newton for the Jacobians of all links of the robot, and needs that of one. On some hundred environments
this costs as much as everything else outside the physics. The Jacobian of one link follows from the poses that are
known anyway: a revolute joint with axis a through p moves a point x with a x (x - p) and turns it with a.
"""

from __future__ import annotations

from typing import Any

import isaaclab.utils.math as math_utils
import newton
import torch
from isaaclab.envs.mdp.actions.task_space_actions import DifferentialInverseKinematicsAction

from .joint_targets import JointTargets
from .model_names import own_parts

_TOLERANCE = 1e-3
"""Largest difference (m, rad per joint unit) from Isaac Lab's own Jacobian; beyond it, theirs is used."""


class ChainIKAction(DifferentialInverseKinematicsAction):
    """Same action, same Jacobian up to rounding."""

    _chain: Chain | None = None
    _checked = False
    _targets: JointTargets | None = None

    def apply_actions(self) -> None:
        if getattr(self.cfg.controller, "joint_limit_avoidance_gain", 0.0) > 0.0:
            super().apply_actions()
            return
        if self._targets is None:
            self._targets = JointTargets(self._asset, self._joint_ids)
            columns: Any = self._joint_ids
            self._columns = torch.arange(self._asset.num_joints, device=self.device)[columns]
        joint_pos = self._asset.data.joint_pos.torch.index_select(1, self._columns)
        eef_pos, eef_quat = self._compute_frame_pose()
        self._targets.write(self._ik_controller.compute(eef_pos, eef_quat, self._compute_frame_jacobian(), joint_pos))

    def _compute_frame_jacobian(self) -> torch.Tensor:
        if not self._checked:
            self._checked = True
            self._chain = self._trusted_chain()
        # never theirs first and ours later: rounding would tell the first step of a session from all others
        return super()._compute_frame_jacobian() if self._chain is None else self._evaluate(self._chain)

    def _trusted_chain(self) -> Chain | None:
        """The chain, if it gives what Isaac Lab computes."""
        stock = super()._compute_frame_jacobian()
        chain = Chain.of(self)
        if chain is None or (self._evaluate(chain) - stock).abs().max() > _TOLERANCE:
            return None
        return chain

    def _evaluate(self, chain: Chain) -> torch.Tensor:
        """Jacobian of the controlled frame in the root frame. Shape (N, 6, number of joints)."""
        data: Any = self._asset.data
        poses = data.body_link_pose_w.torch
        root_quat = data.root_quat_w.torch
        hand = poses[:, self._body_idx]
        point = hand[:, :3]
        if self.cfg.body_offset is not None:
            point = point + math_utils.quat_apply(hand[:, 3:7], self._offset_pos)
        links = poses[:, chain.links]
        count = len(chain.links)
        quats = links[..., 3:7].reshape(-1, 4)
        axes = math_utils.quat_apply(quats, chain.axes.repeat(len(poses), 1))
        anchors = links[..., :3].reshape(-1, 3) + math_utils.quat_apply(quats, chain.anchors.repeat(len(poses), 1))
        arms = point.repeat_interleave(count, 0) - anchors
        linear = torch.where(chain.revolute.repeat(len(poses), 1), torch.linalg.cross(axes, arms), axes)
        angular = axes * chain.turns.repeat(len(poses), 1)
        columns = torch.stack([linear, angular], dim=1).reshape(len(poses) * count * 2, 3)
        inverse = math_utils.quat_inv(root_quat).repeat_interleave(2 * count, 0)
        in_root = math_utils.quat_apply(inverse, columns).reshape(len(poses), count, 6)
        return in_root.transpose(1, 2) * chain.moves


class Chain:
    """What is fixed about the joints between a robot's base and its hand."""

    def __init__(
        self, links: list[int], axes: torch.Tensor, anchors: torch.Tensor, revolute: torch.Tensor, moves: torch.Tensor
    ) -> None:
        """Describe the controlled joints, K of them.

        Args:
            links: For each joint the index of the link that it moves.
            axes: Joint axes in those links' frames. Shape (K, 3).
            anchors: Points on the axes in those frames (m). Shape (K, 3).
            revolute: Whether each turns; the others slide. Shape (K,), bool.
            moves: 1 for joints that move the hand, else 0. Shape (K,).
        """
        self.links, self.axes, self.anchors, self.moves = links, axes, anchors, moves
        self.revolute = revolute[:, None]
        self.turns = self.revolute.float()

    @classmethod
    def of(cls, term: Any) -> Chain | None:
        """Read the chain off Newton's model, or None if it has joints of other kinds."""
        asset = term._asset
        model = _model()
        kinds, children, parents = (a.numpy() for a in (model.joint_type, model.joint_child, model.joint_parent))
        frames, all_axes, starts = (a.numpy() for a in (model.joint_X_c, model.joint_axis, model.joint_qd_start))
        joints, links = own_parts(model.joint_label, asset), own_parts(model.body_label, asset)
        bodies = {index: name for name, index in links.items()}
        names = [asset.joint_names[i] for i in _indices(term._joint_ids, asset.num_joints)]
        if any(name not in joints for name in names):
            return None
        chosen = [joints[name] for name in names]
        if any(kinds[j] not in (newton.JointType.REVOLUTE, newton.JointType.PRISMATIC) for j in chosen):
            return None
        by_child = {int(child): joint for joint, child in enumerate(children)}
        ancestors: set[int] = set()
        body = links[asset.body_names[term._body_idx]]
        while body in by_child:
            ancestors.add(by_child[body])
            body = int(parents[by_child[body]])
        child_frames = torch.as_tensor(frames[chosen], device=asset.device)
        axes = torch.as_tensor(all_axes[starts[chosen]], device=asset.device)
        return cls(
            links=[asset.body_names.index(bodies[int(children[j])]) for j in chosen],
            axes=math_utils.quat_apply(child_frames[:, 3:7], axes),
            anchors=child_frames[:, :3],
            revolute=torch.tensor([kinds[j] == newton.JointType.REVOLUTE for j in chosen], device=asset.device),
            moves=torch.tensor([float(j in ancestors) for j in chosen], device=asset.device),
        )


def _model() -> Any:
    from isaaclab_newton.physics import NewtonManager

    return NewtonManager.get_model()


def _indices(ids: Any, count: int) -> list[int]:
    return list(range(count))[ids] if isinstance(ids, slice) else [int(i) for i in ids]
