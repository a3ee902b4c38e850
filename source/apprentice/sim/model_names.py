"""What the simulator's models call the parts of a scene, in environment 0."""

# pyright: reportAttributeAccessIssue=false
# mujoco is compiled and has no types

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def entity_path(asset: Any) -> str:
    """Path of a robot or object in the stage."""
    return re.sub(r"env_(\[\^/\]\+|\.\*|\*)", "env_0", asset.cfg.prim_path)


def own_parts(labels: Sequence[str], asset: Any) -> dict[str, int]:
    """By short name, where Newton's labels have each joint or body of an articulation; robots may share names."""
    path = entity_path(asset) + "/"
    return {label.rsplit("/", 1)[-1]: index for index, label in enumerate(labels) if label.startswith(path)}


def mujoco_names(asset: Any, kind: str) -> dict[str, str]:
    """By short name, what MuJoCo calls an articulation's own parts; `kind` is "joint_label" or "body_label"."""
    labels = getattr(_newton_model(), kind)
    return {name: _in_mujoco(labels[index]) for name, index in own_parts(labels, asset).items()}


def mujoco_body(asset: Any) -> str:
    """What MuJoCo calls the body of an object.

    Raises:
        KeyError: If Newton has no such body.
    """
    path = entity_path(asset)
    for label in _newton_model().body_label:
        if label == path or label.startswith(path + "/"):
            return _in_mujoco(label)
    raise KeyError(path)


def joint_places(model: Any, asset: Any) -> NDArray[np.int64]:
    """Where the joints of an articulation stand in the state of MuJoCo's model, in the articulation's order."""
    names = mujoco_names(asset, "joint_label")
    return np.array([model.joint(names[name]).qposadr[0] for name in asset.joint_names])


def _in_mujoco(label: str) -> str:
    return label.replace("/", "_")


def _newton_model() -> Any:
    from isaaclab_newton.physics import NewtonManager

    return NewtonManager.get_model()
