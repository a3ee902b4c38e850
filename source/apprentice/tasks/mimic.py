"""What the Mimic settings of our tasks have in common."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from isaaclab.envs.mimic_env_cfg import (
    SubTaskConfig,
    SubTaskConstraintConfig,
    SubTaskConstraintCoordinationScheme,
    SubTaskConstraintType,
)

from apprentice.errors import UserError


def subtask(
    about: str | None, signal: str | None, description: str, *, noise: float, offsets: tuple[int, int] = (0, 0)
) -> SubTaskConfig:
    """One object-centric part of a task, its segments selected by how near the object lies.

    Args:
        about: The object, None if about none: Isaac Lab's selection strategies but "random" need one.
        signal: Of its end; None where that is not detected.
        description: What is done, in words.
        noise: On generated actions (m and rad), standard deviation.
        offsets: Fewest and most control steps by which a segment may end later than its signal.
    """
    return SubTaskConfig(
        object_ref=about,  # pyright: ignore[reportArgumentType]  None is Isaac Lab's "about no object"
        subtask_term_signal=signal,  # pyright: ignore[reportArgumentType]  None is Isaac Lab's "not detected"
        subtask_term_offset_range=offsets,
        selection_strategy="random" if about is None else "nearest_neighbor_object",
        selection_strategy_kwargs={} if about is None else {"nn_k": 3},
        action_noise=noise,
        description=description,
    )


def together(one: tuple[str, int], other: tuple[str, int]) -> SubTaskConstraintConfig:
    """Subtasks of two end effectors that begin at once and take one way, each as end effector and number."""
    return SubTaskConstraintConfig(
        eef_subtask_constraint_tuple=[one, other],
        constraint_type=SubTaskConstraintType.COORDINATION,
        coordination_scheme=SubTaskConstraintCoordinationScheme.TRANSFORM,
        coordination_synchronize_start=True,
    )


def in_order(first: tuple[str, int], then: tuple[str, int], steps_left: int = -1) -> SubTaskConstraintConfig:
    """One end effector's subtask before another's, each as end effector and number.

    Args:
        first: What has to be over.
        then: What waits for it.
        steps_left: The latter plays until so many of its steps are left and waits there; -1: before it begins.
    """
    return SubTaskConstraintConfig(
        eef_subtask_constraint_tuple=[first, then],
        constraint_type=SubTaskConstraintType.SEQUENTIAL,
        sequential_min_time_diff=steps_left,
    )


def set_up_generation(datagen_config: Any, name: str) -> None:
    """How Isaac Lab's own generator is to work on the task of this id, in place."""
    datagen_config.name = name
    datagen_config.generation_guarantee = True
    datagen_config.generation_keep_failed = False
    datagen_config.generation_select_src_per_subtask = True
    datagen_config.generation_transform_first_robot_pose = False
    datagen_config.generation_interpolate_from_last_target_pose = True


def require_variant(name: str, known: Collection[str]) -> None:
    """Refuse a variant that a task does not have.

    Raises:
        UserError: If `name` is not among `known`.
    """
    if name not in known:
        raise UserError(f"Expected one of the variants {', '.join(known)}, found '{name}'.")
