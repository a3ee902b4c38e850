"""Cameras that a task offers: for its operator, and for the policies trained on its images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apprentice.errors import UserError
from apprentice.sim.views import FRONT, WRIST, CameraView

from .session import Session

_FRONT_OFFSET_M = np.array([0.98, -0.6, 0.48])
"""From what the front view looks at to its eye: ahead of the robot, to its right and above it."""
_TABLE_OFFSET_M = np.array([0.52, 0.0, 0.36])
"""From the objects to the eye of the table view."""


def task_views(session: Session) -> tuple[CameraView, ...]:
    """Cameras of a task, the one for people first.

    A task's environment class may say, by `camera_views`. For others they stand where the robot and the objects are by
    default, not where a reset put them: images of all episodes are taken from the same place.
    """
    declared: tuple[CameraView, ...] = tuple(getattr(session.env, "camera_views", ()))
    return declared or _fitted(session.env.scene)


def choose_views(session: Session, names: tuple[str, ...]) -> tuple[CameraView, ...]:
    """Those of the task's cameras that are named.

    Raises:
        UserError: If a camera is named twice, or there is none of this name.
    """
    offered = {view.name: view for view in task_views(session)}
    for name in names:
        if name not in offered or names.count(name) > 1:
            found = f"'{name}' twice" if name in offered else f"'{name}'"
            raise UserError(f"Expected cameras of {session.task}, {', '.join(offered)}, found {found}.")
    return tuple(offered[name] for name in names)


def _fitted(scene: Any) -> tuple[CameraView, ...]:
    robots = list(scene.articulations.values())
    objects = [_place(body) for body in scene.rigid_objects.values()]
    base, ahead = (_place(robots[0]), _heading(robots[0])) if robots else (np.zeros(3), np.eye(3))
    work = np.mean(objects, axis=0) if objects else base + ahead @ (0.5, 0.0, 0.0)
    middle = (base + work) / 2 + (0.0, 0.0, 0.24)
    views = [
        replace(FRONT, eye_m=_tuple(middle + ahead @ _FRONT_OFFSET_M), target_m=_tuple(middle)),
        CameraView(
            name="table", eye_m=_tuple(work + ahead @ _TABLE_OFFSET_M), target_m=_tuple(work), field_of_view_deg=40.0
        ),
    ]
    links = {link for robot in robots for link in robot.body_names}
    return (*views, *((WRIST,) if WRIST.link in links else ()))


def _place(asset: Any) -> NDArray[np.float64]:
    return np.asarray(asset.cfg.init_state.pos, dtype=np.float64)


def heading_rad(robot: Any) -> float:
    """How far an articulation is turned about the vertical axis, as it stands by default."""
    x, y, z, w = robot.cfg.init_state.rot
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


def _heading(robot: Any) -> NDArray[np.float64]:
    """Rotation about the vertical axis by which the robot stands. Shape (3, 3)."""
    yaw = heading_rad(robot)
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _tuple(point: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 4) for value in point)
    return x, y, z
