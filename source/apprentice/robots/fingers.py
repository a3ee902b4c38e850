"""What there is to know about the fingers of a robot's hand for them to follow a person's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml

from .assets import UrdfModel, cache_dir, cached_file, kinematics_path


@dataclass(kw_only=True, frozen=True)
class Finger:
    """One finger."""

    knuckle: str
    """Link at whose origin it begins."""
    end: str
    """Its last link."""
    tip_m: tuple[float, float, float]
    """Where the tip is in that link's frame."""


@dataclass(kw_only=True, frozen=True)
class FingeredHand:
    """A hand whose finger joints are commanded one by one."""

    side: str
    """"left" or "right"."""
    model: UrdfModel
    """The robot."""
    link: str
    """Link that carries the hand."""
    grasp: tuple[tuple[float, ...], ...]
    """The grasp frame in that link's, see `apprentice.robots.humanoid`. Shape (4, 4)."""
    open: Mapping[str, float]
    """Its joints when it is open (rad)."""
    closed: Mapping[str, float]
    """What its joints are told to close it (rad)."""
    fingers: Mapping[str, Finger]
    """Its fingers by the person's that they follow, "thumb" to "pinky"."""

    def urdf_path(self) -> Path:
        """The hand alone, without shapes: `link` is the root, and a link "<finger>_tip" is at each tip.

        Raises:
            UserError: If the package that ships the model is missing or incomplete, or the cache cannot be written.
        """
        whole = kinematics_path(self.model)
        path = cache_dir() / "urdf" / f"{whole.stem}-{self.link}-tips.urdf"
        return cached_file(path, lambda file: file.write_text(self._alone(whole.read_text())))

    def _alone(self, robot: str) -> str:
        model = Xml.fromstring(robot)
        joints = {joint: (_link(joint, "parent"), _link(joint, "child")) for joint in model.findall("joint")}
        kept, grown = {self.link}, True
        while grown:
            found = {child for parent, child in joints.values() if parent in kept} - kept
            kept, grown = kept | found, bool(found)
        for joint, (parent, _) in joints.items():
            if parent not in kept:
                model.remove(joint)
        for link in model.findall("link"):
            if link.attrib["name"] not in kept:
                model.remove(link)
        for name, finger in self.fingers.items():
            tip = f"{name}_tip"
            Xml.SubElement(model, "link", {"name": tip})
            joint = Xml.SubElement(model, "joint", {"name": f"{tip}_joint", "type": "fixed"})
            Xml.SubElement(joint, "parent", {"link": finger.end})
            Xml.SubElement(joint, "child", {"link": tip})
            Xml.SubElement(joint, "origin", {"xyz": " ".join(map(str, finger.tip_m)), "rpy": "0 0 0"})
        return Xml.tostring(model, encoding="unicode")


def _link(joint: Xml.Element, end: str) -> str:
    node = joint.find(end)
    return "" if node is None else node.attrib["link"]
