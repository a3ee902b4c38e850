"""Lets observation terms see poses that are off by a given error, while the scene stays as it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from apprentice.poses import exp_rotation, make_pose, position, quat_from_rotation, rotation, rotation_from_quat

from .snapshot import outdate

Place = tuple[Tensor, ...]
"""Arrays that hold position and quaternion xyzw side by side: one of 7 columns, or two of 3 and 4. Shapes (N, ...)."""


@contextlib.contextmanager
def misplaced(env: Any, errors: Mapping[str, Tensor]) -> Iterator[None]:
    """Shift and turn what is read of poses, and put it back.

    All terms that read an entity's pose see the same error: they agree with each other, as the outputs of one tracker
    do. Poses that a frame sensor gives relative to its source keep their true values; no stacking task observes them.

    Args:
        env: An open environment.
        errors: By entity of the scene, the shift (m, world axes) and rotation vector (rad, world axes). An object is
            turned about its own origin; of a robot all links are shifted alike, and turned about their own origins: its
            base is known, its hand is where the error is seen. Shapes (N, 6).
    """
    outdate(env)  # what was derived from true poses
    places = list(_places(env, errors))
    true = [torch.cat(place, -1).clone() for place, _ in places]
    for (place, error), pose in zip(places, true, strict=True):
        _write(place, _off(pose, error))
    try:
        yield
    finally:
        for (place, _), pose in zip(places, true, strict=True):
            _write(place, pose)
        outdate(env)  # what was derived from false ones


def _write(place: Place, pose: Tensor) -> None:
    for array, part in zip(place, pose.split([array.shape[-1] for array in place], -1), strict=True):
        array.copy_(part)


def _off(pose: Tensor, error: Tensor) -> Tensor:
    """Poses as position and quaternion xyzw, shape (N, 7) or (N, B, 7), with an error of shape (N, 6)."""
    if pose.dim() == 3:
        error = error[:, None].expand(-1, pose.shape[1], -1)
    true = make_pose(pose[..., :3], rotation_from_quat(pose[..., 3:7]))
    shifted, turned = position(true) + error[..., :3], exp_rotation(error[..., 3:]) @ rotation(true)
    quat = quat_from_rotation(turned)
    # of the two quaternions of a rotation the one that is near: the other would be an error of its own
    quat = torch.where((quat * pose[..., 3:7]).sum(-1, keepdim=True) < 0, -quat, quat)
    return torch.where((error == 0).all(-1, keepdim=True), pose, torch.cat((shifted, quat), -1))


def _places(env: Any, errors: Mapping[str, Tensor]) -> Iterator[tuple[Place, Tensor]]:
    """Where poses are read from, with the error of each."""
    scene = env.scene
    for name, error in errors.items():
        error = error.to(env.device)
        if name in scene.rigid_objects:  # on some backends these are two arrays, on others one
            yield (scene[name].data.root_link_pose_w.torch,), error
        yield (scene[name].data.body_link_pose_w.torch,), error
    for sensor in scene.sensors.values():  # Isaac Lab's own tasks read the hand through a frame sensor
        frames = getattr(sensor.cfg, "target_frames", ())
        for name in errors.keys() & scene.articulations.keys():
            if frames and frames[0].prim_path.startswith(scene[name].cfg.prim_path):
                yield (sensor.data.target_pos_w.torch, sensor.data.target_quat_w.torch), errors[name].to(env.device)
