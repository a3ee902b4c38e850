"""The UR5e and the Robotiq 2F-85 of the package airo-models, put together into one URDF."""

from __future__ import annotations

import math
import posixpath
from pathlib import Path
from xml.etree import ElementTree as Xml

from .urdf import urdf_text

PACKAGE = "airo-models"
ARM = "arms/ur5e/ur5e.urdf"
GRIPPER = "grippers/robotiq_2f_85/urdf/robotiq_2f_85.urdf"
FLANGE = "wrist_3_link"
PALM = "robotiq_palm"
"""The gripper's body. Its z axis points out of the flange, its y axis from one finger to the other."""

_DRAKE = "http://drake.mit.edu"
_UNUSED_FRAMES = ("base", "flange", "tool0")
_ROOT, _BODY = "base_link", "base_link_inertia"
"""In both files a frame without mass, and the body that hangs on it."""


def assembled(root: Path) -> str:
    """The gripper bolted straight to the arm's flange.

    The linkage stays as the package has it: both pads move in parallel, four joints follow `finger_joint` as mimics. Of
    what collides, the inner knuckles are left out: they never meet anything that the fingers around them do not meet.

    Args:
        root: Folder of the package.

    Raises:
        UserError: If the package holds no such models.
    """
    arm, gripper = _read(root, ARM), _read(root, GRIPPER)
    _remove_links(arm, (*_UNUSED_FRAMES, _ROOT))
    _remove_links(gripper, (_ROOT,))
    _turn_base(arm)
    _rename(arm, _BODY, _ROOT)
    _rename(gripper, _BODY, PALM)
    for link in gripper.findall("link"):
        if "inner_knuckle" in link.attrib["name"]:
            for collision in link.findall("collision"):
                link.remove(collision)
    bolts = Xml.SubElement(arm, "joint", name="robotiq_mount", type="fixed")
    Xml.SubElement(bolts, "origin", rpy=f"0 0 {-math.pi / 2}", xyz="0 0 0")
    Xml.SubElement(bolts, "parent", link=FLANGE)
    Xml.SubElement(bolts, "child", link=PALM)
    arm.extend(gripper)
    arm.set("name", "ur5e_robotiq_2f_85")
    return Xml.tostring(arm, encoding="unicode")


def _read(root: Path, urdf: str) -> Xml.Element:
    """A model with absolute mesh paths, without what only Drake and ROS read."""
    text = urdf_text(root, urdf, PACKAGE)
    # the files use the prefix without saying what it stands for, which is no XML
    robot = Xml.fromstring(text.replace("<robot ", f'<robot xmlns:drake="{_DRAKE}" ', 1))
    for extra in [node for node in robot if node.tag not in ("link", "joint")]:
        robot.remove(extra)
    for node in robot.iter():
        for key in [key for key in node.attrib if key.startswith("{")]:
            del node.attrib[key]
        if node.tag == "mesh":
            mesh = posixpath.normpath(posixpath.join(posixpath.dirname(urdf), node.attrib["filename"]))
            node.set("filename", f"package://{PACKAGE}/{mesh}")
    return robot


def _remove_links(robot: Xml.Element, names: tuple[str, ...]) -> None:
    for node in list(robot):
        joined = [part.attrib["link"] for part in node if part.tag in ("parent", "child")]
        if node.attrib["name"] in names or any(name in names for name in joined):
            robot.remove(node)


def _rename(robot: Xml.Element, old: str, new: str) -> None:
    for node in robot.iter():
        for key, name in node.attrib.items():
            if name == old:
                node.set(key, new)


def _turn_base(arm: Xml.Element) -> None:
    """Give the arm's body the axes of the frame it hangs on, x forward: it is built facing backwards."""
    parts = [link for link in arm.findall("link") if link.attrib["name"] == _BODY]
    for joint in arm.findall("joint"):
        parent = joint.find("parent")
        if parent is not None and parent.attrib["link"] == _BODY:
            parts.append(joint)
    for origin in [node for part in parts for node in part.iter("origin")]:
        x, y, z = (float(value) for value in origin.attrib["xyz"].split())
        roll, pitch, yaw = (float(value) for value in origin.attrib["rpy"].split())
        origin.set("xyz", f"{-x} {-y} {z}")
        origin.set("rpy", f"{roll} {pitch} {yaw + math.pi}")
