"""Gives each demo a look of its own: colours, lights and camera poses, so that policies do not come to rely on one."""

# pyright: reportAttributeAccessIssue=false
# mujoco is compiled and has no types

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from .looks_cfg import LooksCfg


class Looks:
    """Changes the looks of a model that is drawn from; what it finds when it is made is what changes refer to."""

    def __init__(self, model: Any, cfg: LooksCfg) -> None:
        """Remember the looks of `model`, an `mujoco.MjModel`."""
        self._model, self._cfg = model, cfg
        self._original = {name: np.array(part) for name, part in self._parts().items()}

    def draw(self, seed: int) -> None:
        """Take on the look that belongs to a seed: the same one whenever it is asked for."""
        cfg, parts = self._cfg, self._parts()
        for name, part in parts.items():
            part[...] = self._original[name]
        # one generator each, so that one kind of change does not depend on another
        colours, lights, cameras = np.random.default_rng([cfg.seed, seed]).spawn(3)
        rgb = parts["geom_rgba"][:, :3]
        rgb[...] = np.clip(rgb + colours.uniform(-cfg.colours, cfg.colours, rgb.shape), 0.0, 1.0)
        brightness = 1.0 + lights.uniform(-cfg.lights, cfg.lights, len(parts["light_diffuse"]) + 1)
        parts["headlight"][...] *= brightness[-1]
        parts["light_diffuse"][...] *= brightness[:-1, None]
        for way in parts["light_dir"]:
            way[...] = _turned(way, lights.uniform(-cfg.lights, cfg.lights, 3))
        for place, quat in zip(parts["cam_pos"], parts["cam_quat"], strict=True):
            shift = cameras.uniform(-cfg.camera_m, cfg.camera_m, 3)
            place += _turned_by_quat(shift, quat)
            turn = np.zeros(4)
            angles = cameras.uniform(-cfg.camera_rad, cfg.camera_rad, 3)
            mujoco.mju_axisAngle2Quat(turn, _axis(angles), np.linalg.norm(angles))
            mujoco.mju_mulQuat(quat, quat.copy(), turn)

    def _parts(self) -> dict[str, NDArray[np.floating[Any]]]:
        model = self._model
        names = ("geom_rgba", "light_diffuse", "light_dir", "cam_pos", "cam_quat")
        return {name: getattr(model, name) for name in names} | {"headlight": model.vis.headlight.diffuse}


def _axis(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(angles)
    return angles / length if length > 0 else np.array([1.0, 0.0, 0.0])


def _turned(way: NDArray[np.float64], angles: NDArray[np.float64]) -> NDArray[np.float64]:
    quat = np.zeros(4)
    mujoco.mju_axisAngle2Quat(quat, _axis(angles), np.linalg.norm(angles))
    return _turned_by_quat(way, quat)


def _turned_by_quat(vector: NDArray[np.float64], quat: NDArray[np.float64]) -> NDArray[np.float64]:
    turned = np.zeros(3)
    mujoco.mju_rotVecQuat(turned, np.array(vector, dtype=np.float64), np.array(quat))
    return turned
