"""The Unitree G1 with Dex3 hands of the package example-robot-data, for tasks in which it stands."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

from .standing import make_untouchable, on_planar_base, remove_links, stiffen
from .urdf import read_urdf

PACKAGE = "example-robot-data"
_URDF = "robots/g1_description/urdf/g1_29dof_with_hand_rev_1_0.urdf"
_LEGS = ("_hip_", "_knee_", "_ankle_")
_SENSORS = ("imu_in_torso", "imu_in_pelvis", "d435_link", "mid360_link")
"""Frames without mass or shape."""
ROOT = "pelvis"
BASE_JOINTS = ("base_x", "base_y", "base_yaw")
"""Joints of the planar base on which it can be put."""


def standing(root: Path) -> str:
    """The robot with stiff, straight legs that touch nothing: they bear a pelvis that is fixed, and cost no time.

    Args:
        root: Folder of the package.

    Raises:
        UserError: If the package holds no such model.
    """
    return Xml.tostring(_standing(root), encoding="unicode")


def on_base(root: Path) -> str:
    """The same on a planar base: joints along x and y and about z between the floor and the pelvis.

    Args:
        root: Folder of the package.

    Raises:
        UserError: If the package holds no such model.
    """
    robot = _standing(root)
    on_planar_base(robot, ROOT, BASE_JOINTS)
    return Xml.tostring(robot, encoding="unicode")


def whole(root: Path) -> str:
    """The robot with legs that move and touch nothing. Argument and errors as of `standing`."""
    robot = _robot(root)
    make_untouchable(robot, _LEGS)
    return Xml.tostring(robot, encoding="unicode")


def _standing(root: Path) -> Xml.Element:
    robot = _robot(root)
    stiffen(robot, _LEGS)
    return robot


def _robot(root: Path) -> Xml.Element:
    robot = read_urdf(root, _URDF, PACKAGE)
    remove_links(robot, _SENSORS)
    return robot
