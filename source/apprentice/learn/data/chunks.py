"""Demos as chunks: at each frame, where the end effectors go over the following steps and what the grippers do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from apprentice.learn.data.action_space import ActionSpace
from apprentice.learn.data.frames import first_and_last
from apprentice.poses import log_rotation, position, rotation

_ROWS = 4096
"""Frames turned into chunks at once: bounded memory for files of any size."""


def chunks(
    actions: Tensor,
    eefs: Mapping[str, Tensor],
    space: ActionSpace,
    lengths: Sequence[int],
    *,
    chunk: int,
    smoothing: int,
) -> tuple[Tensor, Tensor]:
    """The chunk that starts at each frame. Beyond the end of a demo its last action is repeated.

    Args:
        actions: Of all demos, concatenated. Shape (T, A).
        eefs: Poses by end effector. Shape (T, 4, 4).
        space: What the columns of an action mean.
        lengths: Frames of each demo.
        chunk: Steps of a chunk, H.
        smoothing: Reach, in steps, of a triangular filter over the targets.

    Returns:
        Targets of shape (T, H, V): for each end effector the displacement [m] and rotation vector [rad] from its pose
        at the frame, then the continuous columns. Gripper decisions of shape (T, H, B), 0 or 1.
    """
    first, last = first_and_last(lengths)
    weights = torch.tensor([smoothing + 1.0 - abs(k) for k in range(-smoothing, smoothing + 1)])
    weights /= weights.sum()
    path = space.target_poses(actions, eefs)
    starts = torch.stack([eefs[part.eef] for part in space.poses], 1) if space.poses else path
    continuous = actions[:, list(space.continuous)]
    targets: list[Tensor] = []
    for rows in torch.arange(len(actions)).split(_ROWS):
        window = rows[:, None] + torch.arange(-smoothing, chunk + smoothing)
        window = window.maximum(first[rows, None]).minimum(last[rows, None])
        pose, start = path[window], starts[rows, None]
        turn = log_rotation(rotation(pose) @ rotation(start).mT)
        relative = torch.cat([position(pose) - position(start), turn], -1).flatten(2)
        values = torch.cat([relative, continuous[window]], -1)
        targets.append(sum(weights[k] * values[:, k : k + chunk] for k in range(2 * smoothing + 1)))  # type: ignore[arg-type]
    middle = torch.tensor([(switch.low + switch.high) / 2 for switch in space.binary])
    switched = actions[:, [switch.column for switch in space.binary]] > middle
    future = (torch.arange(len(actions))[:, None] + torch.arange(chunk)).minimum(last[:, None])
    return torch.cat(targets), switched[future].float()
