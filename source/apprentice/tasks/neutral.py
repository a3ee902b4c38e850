"""Actions that change nothing: what an environment is given while nobody drives it."""

from __future__ import annotations

from typing import Any

import torch

from .pink import hand_poses


def neutral_actions(env: Any) -> torch.Tensor:
    """Actions that hold every robot where it is, grippers open. Shape (N, A)."""
    manager = env.action_manager
    parts = [_neutral(manager.get_term(name)) for name in manager.active_terms]
    return torch.cat(parts, dim=1)


def _neutral(term: Any) -> torch.Tensor:
    """Neutral part of one action term, by the semantics of Isaac Lab's terms. Shape (N, term's width)."""
    action = torch.zeros_like(term.raw_actions)
    kinds = {kind.__name__ for kind in type(term).__mro__}  # on `native` cheaper terms stand in for Isaac Lab's
    if any(kind.startswith("Binary") for kind in kinds):
        return action + 1.0  # negative closes
    if "DifferentialInverseKinematicsAction" in kinds and not term.cfg.controller.use_relative_mode:
        position, quat = term._compute_frame_pose()
        pose = torch.cat([position, quat], dim=1)[:, : action.shape[1]]
        return (pose - term._offset) / term._scale
    if "PinkInverseKinematicsAction" in kinds:
        fingers = term._asset.data.joint_pos.torch[:, term._hand_joint_ids]
        return torch.cat((hand_poses(term).flatten(1), fingers), 1)
    if "JointPositionAction" in kinds:
        joints = term._asset.data.joint_pos.torch[:, term._joint_ids]
        return (joints - term._offset) / term._scale
    return action
