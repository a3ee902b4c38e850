"""Models of humanoids for tasks in which they stand."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as Xml

_FARTHEST_M = 10.0
"""How far a planar base gets from where it begins."""
_FARTHEST_RAD = 30.0
"""How far it turns."""
_MOMENTS = ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")


def stiffen(robot: Xml.Element, joints: Sequence[str]) -> None:
    """Make joints stiff, and what they carry untouchable, in place: legs that stand still cost no time.

    Args:
        robot: The model.
        joints: Parts of the names of those joints.
    """
    for joint in _named(robot, joints):
        joint.set("type", "fixed")
        _remove_parts(joint, "axis", "limit")
    make_untouchable(robot, joints)


def make_untouchable(robot: Xml.Element, joints: Sequence[str]) -> None:
    """Let what joints carry collide with nothing, in place. Arguments as of `stiffen`."""
    carried = {
        joint.find("child").attrib["link"]  # pyright: ignore[reportOptionalMemberAccess]
        for joint in _named(robot, joints)
    }
    for link in robot.findall("link"):
        if link.attrib["name"] in carried:
            _remove_parts(link, "collision")


def remove_links(robot: Xml.Element, links: Sequence[str]) -> None:
    """Remove links at the ends of a model, and the joints that carry them, in place."""
    for node in list(robot):
        child = node.find("child")
        if node.attrib.get("name") in links or (child is not None and child.attrib["link"] in links):
            robot.remove(node)


def on_planar_base(robot: Xml.Element, root: str, joints: tuple[str, str, str]) -> None:
    """Let a model slide over the floor and turn on it, in place: nobody has to balance it.

    Args:
        robot: The model.
        root: Its root link.
        joints: Names of the joints that are put before it: along x, along y, about z.
    """
    carrier = "floor"
    robot.insert(0, _small_link(carrier))
    for number, (name, axis) in enumerate(zip(joints, ("1 0 0", "0 1 0", "0 0 1"), strict=True)):
        turns = number == 2
        carried = root if turns else f"{name}_link"
        if not turns:
            robot.append(_small_link(carried))
        joint = Xml.SubElement(robot, "joint", {"name": name, "type": "revolute" if turns else "prismatic"})
        Xml.SubElement(joint, "parent", {"link": carrier})
        Xml.SubElement(joint, "child", {"link": carried})
        Xml.SubElement(joint, "axis", {"xyz": axis})
        far = _FARTHEST_RAD if turns else _FARTHEST_M
        limit = {"lower": str(-far), "upper": str(far), "effort": "5000", "velocity": "10"}
        Xml.SubElement(joint, "limit", limit)
        carrier = carried


def _small_link(name: str) -> Xml.Element:
    """A link without shape; engines want what moves to have a mass."""
    link = Xml.Element("link", {"name": name})
    inertial = Xml.SubElement(link, "inertial")
    Xml.SubElement(inertial, "mass", {"value": "1"})
    moments = {axis: "0.01" if axis in ("ixx", "iyy", "izz") else "0" for axis in _MOMENTS}
    Xml.SubElement(inertial, "inertia", moments)
    return link


def _named(robot: Xml.Element, joints: Sequence[str]) -> list[Xml.Element]:
    return [joint for joint in robot.findall("joint") if any(part in joint.attrib["name"] for part in joints)]


def _remove_parts(node: Xml.Element, *tags: str) -> None:
    for part in [part for part in node if part.tag in tags]:
        node.remove(part)
