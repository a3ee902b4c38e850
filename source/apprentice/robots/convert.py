"""Converts one robot's URDF to a USD that Isaac Lab can spawn on Newton and on PhysX.

python -m apprentice.robots.convert URDF PACKAGE PACKAGE_FOLDER OUTPUT.usdc
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def convert(urdf: Path, package: str, root: Path, output: Path) -> None:
    """Convert a model.

    Args:
        urdf: The URDF file.
        package: ROS package that its `package://` addresses name.
        root: Folder of that package.
        output: File to write.
    """
    from pxr import Usd
    from urdf_usd_converter import Converter

    with tempfile.TemporaryDirectory() as scratch:
        packages = [{"name": package, "path": str(root)}]
        converter = Converter(layer_structure=False, scene=False, ros_packages=packages)
        with _quiet_usd():
            raw = converter.convert(str(urdf), scratch)
        stage: Any = Usd.Stage.Open(raw.path)
        _post_process(stage)
        stage.GetRootLayer().Export(str(output))


@contextmanager
def _quiet_usd() -> Generator[None]:
    """Only errors get through: the converter reports every mesh otherwise."""
    import usdex.core as usdex

    active, level = usdex.isDiagnosticsDelegateActive(), usdex.getDiagnosticsLevel()
    usdex.activateDiagnosticsDelegate()
    usdex.setDiagnosticsLevel(usdex.DiagnosticsLevel.eError)
    try:
        yield
    finally:
        usdex.setDiagnosticsLevel(level)
        if not active:
            usdex.deactivateDiagnosticsDelegate()


def _post_process(stage: Any) -> None:
    """Make a converted model spawnable by Isaac Lab on Newton and on PhysX."""
    from pxr import Sdf, UsdPhysics

    unwanted: list[Sdf.Path] = []
    for prim in stage.Traverse():
        if prim.IsA(UsdPhysics.FixedJoint) and not _is_between_links(prim):
            # the converter pins every robot to the world; whether the base is fixed is the spawner's decision
            unwanted.append(prim.GetPath())
        elif prim.IsA(UsdPhysics.RevoluteJoint):
            _add_drive(prim, "angular")
        elif prim.IsA(UsdPhysics.PrismaticJoint):
            _add_drive(prim, "linear")
    for path in unwanted:
        stage.RemovePrim(path)


def _is_between_links(joint: Any) -> bool:
    from pxr import UsdPhysics

    parents: Any = joint.GetRelationship(str(UsdPhysics.Tokens.physicsBody0)).GetTargets()
    return any(joint.GetStage().GetPrimAtPath(path).HasAPI(UsdPhysics.RigidBodyAPI) for path in parents)


def _add_drive(joint: Any, kind: str) -> None:
    """PhysX only drives a joint that has a drive; gains come later, from the actuator configuration."""
    from pxr import UsdPhysics

    drive: Any = UsdPhysics.DriveAPI.Apply(joint, kind)
    effort = joint.GetAttribute("urdf:limit:effort").Get()
    if effort:
        drive.CreateMaxForceAttr(float(effort))


if __name__ == "__main__":
    convert(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
