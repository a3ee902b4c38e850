"""What a policy sees of the objects: their poses relative to the end effectors, with symmetry taken out.

Written for poses in any one frame, batched, from the observations of a demo or of a running environment alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from apprentice.poses import position, rotation, set_upright

EEF_POSE = "datagen_info/eef_pose/"
OBJECT_POSE = "datagen_info/object_pose/"
_LEVEL = 0.5
"""Length, seen from above, of a unit axis that is level enough to have a direction."""


@dataclass(kw_only=True, frozen=True)
class FeatureCfg:
    """Which observations become features. Stored in the checkpoint, so play sees what training saw."""

    eefs: tuple[str, ...] = ()
    """End effectors whose pose is observed under `datagen_info/eef_pose/`."""
    objects: tuple[str, ...] = ()
    """Objects whose pose is observed under `datagen_info/object_pose/`."""
    symmetry: Mapping[str, int] = field(default_factory=dict[str, int])
    """Order of each object's rotational symmetry about its z axis; 1 = none."""
    cubes: tuple[str, ...] = ()
    """Objects that look the same on any of their sides: which of them is up is not told."""
    headings: tuple[int, ...] = ()
    """Axis of each end effector (0 x, 1 y, 2 z) whose direction, seen from above, tells how it is turned. Empty: x."""
    plain: tuple[str, ...] = ()
    """Observations taken as they are, such as finger positions."""
    last_action: str | None = None
    """Observation that holds the previous action, of which `last_action_columns` are used."""
    last_action_columns: tuple[int, ...] = ()
    """The gripper columns: what was commanded last cannot be seen in the finger positions alone."""
    held_steps: int = 0
    """Control steps, at most, that are told since each of these commands changed; 0 tells none. A hand that waits for
    its fingers to close looks the same at every step: who does not know for how long it has waited waits on."""

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> FeatureCfg:
        """From what `to_dict` gave, through JSON."""
        parts: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        return FeatureCfg(**parts)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @property
    def obs_keys(self) -> tuple[str, ...]:
        """Every observation that the features need, by its key below `obs/`."""
        poses = [EEF_POSE + name for name in self.eefs] + [OBJECT_POSE + name for name in self.objects]
        return (*poses, *self.plain, *((self.last_action,) if self.last_action else ()))


def features(
    obs: Mapping[str, Tensor],
    cfg: FeatureCfg,
    initial_command: Tensor | None = None,
    held: Tensor | None = None,
) -> Tensor:
    """The feature vector of each observation.

    Args:
        obs: Observations by key. Shape (N, ...).
        cfg: Which of them.
        initial_command: Stands for the last gripper command before there was any action. Shape (len(columns),).
        held: Control steps since each gripper command changed, from `HeldCommands`; None if they never did.
            Shape (N, len(columns)).

    Returns:
        Shape (N, F).
    """
    parts: list[Tensor] = []
    eefs = [obs[EEF_POSE + name] for name in cfg.eefs]
    seen = {name: obs[OBJECT_POSE + name] for name in cfg.objects}
    objects = [set_upright(pose) if name in cfg.cubes else pose for name, pose in seen.items()]
    for eef in eefs:
        parts += [position(eef), eef[:, :3, 0], eef[:, :3, 2]]
    headings = [_yaw(eef, axis) for eef, axis in zip(eefs, cfg.headings or [0] * len(eefs), strict=True)]
    for name, pose in zip(cfg.objects, objects, strict=True):
        for eef, heading in zip(eefs, headings, strict=True):
            angle = cfg.symmetry.get(name, 1) * (_yaw(pose) - heading)
            parts += [position(pose) - position(eef), torch.stack([torch.sin(angle), torch.cos(angle)], -1)]
        parts += [pose[:, 2:3, 3], pose[:, 2:3, 2]]
    parts += _differences(objects)
    parts += _differences(eefs)
    parts += [obs[key].reshape(len(obs[key]), -1).float() for key in cfg.plain]
    told = commands(obs, cfg, initial_command)
    if told is not None:
        parts.append(told)
        if cfg.held_steps:
            steps = torch.full_like(told, cfg.held_steps) if held is None else held
            parts.append(steps / cfg.held_steps)
    return torch.cat(parts, -1)


def commands(obs: Mapping[str, Tensor], cfg: FeatureCfg, initial: Tensor | None) -> Tensor | None:
    """The gripper commands given last, as in `features`. Shape (N, len(columns)); None where they are not observed."""
    if not cfg.last_action or not cfg.last_action_columns:
        return None
    action = obs[cfg.last_action]
    told = action[:, list(cfg.last_action_columns)]
    if initial is None:
        return told
    # Isaac Lab reports zeros until the first action, a command that no gripper was ever given
    return torch.where((action == 0).all(-1, keepdim=True), initial, told)


def position_columns(cfg: FeatureCfg) -> list[int]:
    """Where among the features the position of each object, seen from the first end effector, begins."""
    if not cfg.eefs:
        return []
    width = 5 * len(cfg.eefs) + 2
    return [9 * len(cfg.eefs) + width * index for index in range(len(cfg.objects))]


def heading_axis(poses: Tensor) -> int:
    """Axis (0 x, 1 y, 2 z) whose direction, seen from above, tells how an end effector is turned: x if it is not steep.

    Args:
        poses: Of the end effector, in demos. Shape (T, 4, 4).
    """
    level = rotation(poses)[:, :2].norm(dim=1).mean(0)
    return 0 if level[0] > _LEVEL else int(level.argmax())


def _yaw(pose: Tensor, axis: int = 0) -> Tensor:
    """Direction of an axis, seen from above. Shape (N,), rad."""
    r = rotation(pose)
    return torch.atan2(r[:, 1, axis], r[:, 0, axis])


def _differences(poses: Sequence[Tensor]) -> list[Tensor]:
    return [position(b) - position(a) for i, a in enumerate(poses) for b in poses[i + 1 :]]
