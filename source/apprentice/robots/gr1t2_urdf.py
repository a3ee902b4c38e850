"""The Fourier GR1T2 with six-motor hands of the package fourier-robot-descriptions, for tasks in which it stands."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

from .standing import make_untouchable, remove_links, stiffen
from .urdf import read_urdf

PACKAGE = "fourier-robot-descriptions"
_URDF = "urdf/gr1t2_fourier_hand_6dof.urdf"
_STIFF = ("_hip_", "_knee_", "_ankle_", "head_")
_FINGER_LIMITS = {"effort": "5", "velocity": "10"}
"""Of the hands' joints (N m, rad/s), for which the package says 0."""


def standing(root: Path) -> str:
    """The robot with stiff, straight legs that touch nothing, and a head that looks ahead.

    Every joint of its fingers moves on its own. In the robot, a linkage couples the two of each finger.

    Args:
        root: Folder of the package.

    Raises:
        UserError: If the package holds no such model.
    """
    robot = _robot(root)
    stiffen(robot, _STIFF)
    return Xml.tostring(robot, encoding="unicode")


def whole(root: Path) -> str:
    """The robot with legs that move and touch nothing, and a head that moves. Otherwise as `standing`."""
    robot = _robot(root)
    make_untouchable(robot, _STIFF)
    return Xml.tostring(robot, encoding="unicode")


def _robot(root: Path) -> Xml.Element:
    robot = read_urdf(root, _URDF, PACKAGE)
    frames = [link.attrib["name"] for link in robot.findall("link")]
    remove_links(
        robot, [name for name in frames if name.endswith(("_tip_link", "_hand_wrist_link")) or name == "imu_link"]
    )
    for joint in robot.findall("joint"):
        if joint.attrib["name"].startswith(("L_", "R_")):
            for mimic in joint.findall("mimic"):
                joint.remove(mimic)
            for limit in joint.findall("limit"):
                limit.attrib.update(_FINGER_LIMITS)
    for mesh in robot.iter("mesh"):
        mesh.set("filename", mesh.attrib["filename"].replace("../", f"package://{PACKAGE}/"))
    return robot
