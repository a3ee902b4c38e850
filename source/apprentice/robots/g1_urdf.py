"""The Unitree G1 with Dex3 hands of the package example-robot-data, for tasks in which it stands."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

from apprentice.errors import UserError

PACKAGE = "example-robot-data"
_URDF = "robots/g1_description/urdf/g1_29dof_with_hand_rev_1_0.urdf"
_LEG = ("_hip_", "_knee_", "_ankle_")
_SENSORS = ("imu_in_torso", "imu_in_pelvis", "d435_link", "mid360_link")
"""Frames without mass or shape."""


def standing(root: Path) -> str:
    """The robot with stiff, straight legs that touch nothing: they bear a pelvis that is fixed, and cost no time.

    Args:
        root: Folder of the package.

    Raises:
        UserError: If the package holds no such model.
    """
    try:
        robot = Xml.fromstring((root / _URDF).read_text())
    except OSError as error:
        raise UserError(
            f"Expected {_URDF} in {PACKAGE}, found no such file: run `pip install --force-reinstall {PACKAGE}`."
        ) from error
    for node in list(robot):
        name = node.attrib.get("name", "")
        child = node.find("child")
        if name in _SENSORS or (child is not None and child.attrib["link"] in _SENSORS):
            robot.remove(node)
        elif any(part in name for part in _LEG):
            node.attrib |= {"type": "fixed"} if node.tag == "joint" else {}
            for part in [part for part in node if part.tag in ("collision", "axis", "limit")]:
                node.remove(part)
    return Xml.tostring(robot, encoding="unicode")
