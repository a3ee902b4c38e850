"""Models of humanoids for tasks in which they stand."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as Xml


def stiffen(robot: Xml.Element, joints: Sequence[str]) -> None:
    """Make joints stiff, and what they carry untouchable, in place: legs that stand still cost no time.

    Args:
        robot: The model.
        joints: Parts of the names of those joints.
    """
    stiff = [joint for joint in robot.findall("joint") if any(part in joint.attrib["name"] for part in joints)]
    for joint in stiff:
        joint.set("type", "fixed")
        _remove_parts(joint, "axis", "limit")
    carried = {joint.find("child").attrib["link"] for joint in stiff}  # pyright: ignore[reportOptionalMemberAccess]
    for link in robot.findall("link"):
        if link.attrib["name"] in carried:
            _remove_parts(link, "collision")


def remove_links(robot: Xml.Element, links: Sequence[str]) -> None:
    """Remove links at the ends of a model, and the joints that carry them, in place."""
    for node in list(robot):
        child = node.find("child")
        if node.attrib.get("name") in links or (child is not None and child.attrib["link"] in links):
            robot.remove(node)


def _remove_parts(node: Xml.Element, *tags: str) -> None:
    for part in [part for part in node if part.tag in tags]:
        node.remove(part)
