"""Objects of stock tasks, made of boxes and kept as USD files, so that a task's own spawner settings apply to them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from .assets import cache_dir, cached_file

WHEEL_M = 0.4
"""Outer diameter of the steering wheel, before the task's scale."""
RIM_M = 0.036
"""Width and height of its rim."""
_SEGMENTS, _SPOKES = 16, 3
_MASS_KG = 0.3


def steering_wheel_usd() -> Path:
    """A steering wheel that lies flat around its origin: a rim of boxes, three spokes, a hub.

    Raises:
        UserError: If the cache cannot be written.
    """
    return cached_file(cache_dir() / "usd" / "steering_wheel-1.usdc", _write_wheel)


def _write_wheel(path: Path) -> None:
    from pxr import Gf, Usd, UsdGeom, UsdPhysics

    stage: Any = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    wheel: Any = UsdGeom.Xform.Define(stage, "/steering_wheel")
    root = wheel.GetPrim()
    stage.SetDefaultPrim(root)
    UsdPhysics.RigidBodyAPI.Apply(root)
    weight: Any = UsdPhysics.MassAPI.Apply(root)
    weight.CreateMassAttr(_MASS_KG)
    for number, (place, size, yaw) in enumerate(_parts()):
        cube: Any = UsdGeom.Cube.Define(stage, f"/steering_wheel/part_{number}")
        cube.CreateSizeAttr(1.0)
        cube.CreateDisplayColorAttr([Gf.Vec3f(0.12, 0.12, 0.14)])
        cube.AddTranslateOp().Set(Gf.Vec3d(*place))
        cube.AddRotateZOp().Set(math.degrees(yaw))
        cube.AddScaleOp().Set(Gf.Vec3f(*size))
        UsdPhysics.CollisionAPI.Apply(cube.GetPrim())
    stage.GetRootLayer().Save()


def _parts() -> list[tuple[tuple[float, float, float], tuple[float, float, float], float]]:
    """Centre (m), edges (m) and turn about the vertical axis (rad) of each box."""
    middle = (WHEEL_M - RIM_M) / 2
    length = 2 * (middle + RIM_M / 2) * math.tan(math.pi / _SEGMENTS)
    parts = [((0.0, 0.0, 0.0), (0.1, 0.1, RIM_M), 0.0)]
    for number in range(_SEGMENTS):
        angle = 2 * math.pi * number / _SEGMENTS
        at = (middle * math.cos(angle), middle * math.sin(angle), 0.0)
        parts.append((at, (RIM_M, length, RIM_M), angle))
    for number in range(_SPOKES):
        angle = -math.pi / 2 + 2 * math.pi * number / _SPOKES
        at = (middle / 2 * math.cos(angle), middle / 2 * math.sin(angle), 0.0)
        parts.append((at, (middle, 0.6 * RIM_M, 0.6 * RIM_M), angle))
    return parts
