"""The SO-101 of the package example-robot-data, with pads on its jaws and the link names of Isaac Lab's asset."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree as Xml

from .urdf import read_urdf

Triple = tuple[float, float, float]

PACKAGE = "example-robot-data"
ARM = "robots/so_arm_description/urdf/so101.urdf"
GRASP = "gripper_frame_link"
"""Link without shape that carries the grasp frame, between the tips of the jaws. Its z axis points out of the gripper,
its y axis from the fixed jaw to the moving one."""
LEVER_M, INWARD_M = 0.0747, 0.0281
"""Where the pivot of the moving jaw is, seen from the package's gripper frame on the tip of the fixed one: so far back,
and so far aside."""
PARALLEL_RAD = 0.14
"""Angle of the gripper at which the surfaces of both pads are parallel ..."""
PARALLEL_M = 0.025
"""... and so far from each other."""
GRASP_M = 0.02
"""Distance of the grasp frame from the surface of the fixed jaw's pad: 2.5 cm of width have 7.5 mm to spare there."""

_JAWS = {"gripper": "wrist_roll_follower_so101_v1", "moving_jaw_so101_v1": "moving_jaw_so101_v1"}
"""By link, the mesh that a pad stands in for where it collides."""
_PAD_M = (0.006, 0.014, 0.048)
"""Thickness, width and length of a pad."""
_BEYOND_M = 0.006
"""How far pads reach beyond the gripper frame: to the tips of the jaws."""
_FRAME_IN_GRIPPER = (-0.0079, -0.000218121, -0.0981274)
"""The package's gripper frame in the gripper; turned by half a turn about y."""
_MIDDLE_M = 0.019
"""The plane in which jaws meet, in the moving jaw's frame, along its axis."""


def padded(root: Path) -> str:
    """The arm as the package has it, but for three things.

    Jaws collide with flat pads: the convex hulls of their meshes are wedges, between which nothing stays. The moving
    jaw's pad is parallel to the fixed one's when they are 2.5 cm apart. The gripper frame lies between the jaws, its y
    axis from one to the other. Links bear the names that Isaac Lab's SO-101 gives them.

    Args:
        root: Folder of the package.

    Raises:
        UserError: If the package holds no such model.
    """
    robot = read_urdf(root, ARM, PACKAGE)
    for node in robot.iter():
        for key in ("name", "link"):
            name = node.attrib.get(key, "")
            if name.endswith("_link") and name != GRASP:
                node.set(key, name.removesuffix("_link"))
    for extra in robot.findall("transmission"):
        robot.remove(extra)
    links = {link.attrib["name"]: link for link in robot.findall("link")}
    for name, mesh in _JAWS.items():
        _remove_collision(links[name], mesh)
    thick, wide, long = _PAD_M
    x, y, z = _FRAME_IN_GRIPPER
    _add_pad(links["gripper"], (x - thick / 2, y, z + long / 2 - _BEYOND_M), (thick, wide, long), 0.0)
    # the moving jaw turns about its z axis, and at angle 0 points along -y; its x and y are the gripper's x and z
    aside = thick / 2 - (INWARD_M - PARALLEL_M)
    along = LEVER_M + _BEYOND_M - long / 2
    cos, sin = math.cos(PARALLEL_RAD), math.sin(PARALLEL_RAD)
    place = (cos * aside - sin * along, -sin * aside - cos * along, _MIDDLE_M)
    _add_pad(links["moving_jaw_so101_v1"], place, (thick, long, wide), -PARALLEL_RAD)
    _set_grasp_frame(robot, links[GRASP])
    return Xml.tostring(robot, encoding="unicode")


def _remove_collision(link: Xml.Element, mesh: str) -> None:
    for collision in link.findall("collision"):
        if any(f"/{mesh}." in node.attrib["filename"] for node in collision.iter("mesh")):
            link.remove(collision)


def _add_pad(link: Xml.Element, at_m: Triple, size_m: Triple, yaw_rad: float) -> None:
    for kind in ("visual", "collision"):
        pad = Xml.SubElement(link, kind)
        Xml.SubElement(pad, "origin", xyz=_text(at_m), rpy=_text((0.0, 0.0, yaw_rad)))
        Xml.SubElement(Xml.SubElement(pad, "geometry"), "box", size=_text(size_m))
        if kind == "visual":
            Xml.SubElement(pad, "material", name="sts3215")


def _set_grasp_frame(robot: Xml.Element, link: Xml.Element) -> None:
    x, y, z = _FRAME_IN_GRIPPER
    for joint in robot.findall("joint"):
        if any(node.attrib["link"] == GRASP for node in joint.findall("child")):
            origin = joint.find("origin")
            assert origin is not None
            origin.set("xyz", _text((x + GRASP_M, y, z)))
            origin.set("rpy", _text((math.pi, 0.0, math.pi / 2)))
    for mass in link.iter("mass"):
        mass.set("value", "0.001")
    for inertia in link.iter("inertia"):
        inertia.attrib.update(ixx="1e-7", iyy="1e-7", izz="1e-7")


def _text(values: Triple) -> str:
    return " ".join(f"{value:.9g}" for value in values)
