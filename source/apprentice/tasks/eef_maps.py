"""End-effector targets to actions and back, for all environments at once, whatever the Mimic environment offers.

Our environments have batched maps of their own. Isaac Lab's stock ones map a target to an action one environment at a
time; for those the adapter loops.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def target_to_action(env: Any, targets: Mapping[str, Tensor], grippers: Mapping[str, Tensor]) -> Tensor:
    """Actions that ask every environment's end effectors to go to their targets, without noise.

    Args:
        env: A `ManagerBasedRLMimicEnv`, unwrapped.
        targets: Target pose per end effector, environment frame. Shape (N, 4, 4) each.
        grippers: Gripper command per end effector. Shape (N, G) each.

    Returns:
        Actions. Shape (N, A).
    """
    if hasattr(env, "target_eef_poses_to_actions"):
        return env.target_eef_poses_to_actions(dict(targets), dict(grippers))
    actions = [
        env.target_eef_pose_to_action(
            {eef: pose[env_id] for eef, pose in targets.items()},
            {eef: gripper[env_id] for eef, gripper in grippers.items()},
            env_id=env_id,
        ).reshape(-1)  # some stock environments return (1, A)
        for env_id in range(env.num_envs)
    ]
    return torch.stack(actions)


def action_to_target(env: Any, actions: Tensor) -> dict[str, Tensor]:
    """Poses that every environment's action asks for, the inverse of `target_to_action`.

    Args:
        env: A `ManagerBasedRLMimicEnv`, unwrapped.
        actions: Actions. Shape (N, A).

    Returns:
        Target pose per end effector, environment frame. Shape (N, 4, 4) each.
    """
    return env.action_to_target_eef_pose(actions)


def action_to_gripper(env: Any, actions: Tensor) -> dict[str, Tensor]:
    """Gripper part of the actions.

    Args:
        env: A `ManagerBasedRLMimicEnv`, unwrapped.
        actions: Actions. Shape (N, A).

    Returns:
        Gripper command per end effector. Shape (N, G) each.
    """
    return env.actions_to_gripper_actions(actions)


def drive_base(env: Any, actions: Tensor, velocities: Tensor) -> Tensor:
    """Actions with the base's velocity as somebody says it, where they do.

    Args:
        env: The environment, unwrapped.
        actions: Shape (N, A).
        velocities: NaN where nobody says anything. Shape (N, 3).

    Returns:
        Shape (N, A).
    """
    columns = getattr(env, "base_columns", None)
    if columns is None:
        return actions
    driven = actions.clone()
    driven[:, columns] = torch.where(velocities.isnan(), actions[:, columns], velocities.to(actions))
    return driven
