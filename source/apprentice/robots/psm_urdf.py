"""A patient-side manipulator: an instrument that turns about the point at which it enters the body.

Written for Apprentice, of primitives, after published dimensions of such instruments. The parallelogram that keeps the
remote centre in its place is a gimbal around it here: the same motion with fewer links.
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree as Xml

Triple = tuple[float, float, float]

SCALE = 4.0
"""How much larger than an instrument with a shaft of 8 mm the model is: then what it grasps has the size of what the
other robots grasp."""
ABOVE_TABLE_M = 0.6
"""Height of the remote centre above the table on which its stand is."""
SHAFT_M = 0.008 * SCALE
"""Diameter of the shaft."""
INSERTION_M = 0.24 * SCALE
"""How far the wrist can be pushed beyond the remote centre."""
WRIST_M = 0.0091 * SCALE
"""Distance of the wrist's two axes."""
JAW_M = 0.0102 * SCALE
"""Distance of the grasp frame from the jaws' axis."""
PAD_M = (0.005 * SCALE, 0.002 * SCALE, 0.006 * SCALE)
"""Width, thickness and length of a jaw's pad."""
TIP_M = 0.0015 * SCALE
"""How far pads reach beyond the grasp frame."""
PARALLEL_M = 0.004 * SCALE
"""Distance of the pads' surfaces when they are parallel ..."""
PARALLEL_RAD = 0.2
"""... and the angle of each jaw then: at 0, the jaws are closed on each other."""
GRASP = "tool_wrist_yaw_link"
"""Link whose z axis points out of the instrument, its y axis from one jaw to the other. Jaws turn about its x axis."""
JOINTS = ("yaw", "pitch", "insertion", "roll", "wrist_pitch", "wrist_yaw")
"""From the base on: two turns about the remote centre, along the shaft, about it, and two of the wrist."""
JAWS: tuple[str, str] = ("jaw_left", "jaw_right")

_ACROSS = (0.0, math.pi / 2, 0.0)
"""Turns a cylinder from its z axis onto x."""
_SHAFT_LENGTH_M = 0.3 * SCALE
_STAND_M = 0.3
"""How far behind the remote centre the stand is."""
_COLOURS = {"steel": "0.75 0.77 0.8 1", "dark": "0.25 0.27 0.3 1", "blue": "0.2 0.35 0.6 1"}
_SMALL, _LARGE = (0.02, 2e-5), (0.4, 4e-3)
"""Mass (kg) and moment of inertia (kg m^2) of links; the actuators' reflected inertia weighs more."""


def instrument(_: Path) -> str:
    """The model. Its base is the remote centre: x ahead, z up. At 0 the instrument hangs down from there."""
    robot = Xml.Element("robot", name="psm")
    for name, rgba in _COLOURS.items():
        Xml.SubElement(Xml.SubElement(robot, "material", name=name), "color", rgba=rgba)
    _add_gimbal(robot)
    _add_shaft(robot)
    _add_jaws(robot)
    return Xml.tostring(robot, encoding="unicode")


def _add_gimbal(robot: Xml.Element) -> None:
    """Stand, fork and cannula: the fork turns about x, the cannula in it about y."""
    base = _link(robot, "base_link", (5.0, 0.1))
    _box(base, (-_STAND_M, 0.0, -ABOVE_TABLE_M / 2), (0.06, 0.06, ABOVE_TABLE_M), "dark")
    _box(base, (-_STAND_M, 0.0, 0.01 - ABOVE_TABLE_M), (0.16, 0.16, 0.02), "dark")
    _cylinder(base, (-_STAND_M / 2 - 0.04, 0.0, 0.0), 0.025, _STAND_M - 0.08, "dark", turned=_ACROSS)
    fork = _link(robot, "yaw_link", _LARGE)
    _box(fork, (-0.07, 0.0, 0.0), (0.02, 0.12, 0.05), "blue")
    for side in (-0.055, 0.055):
        _box(fork, (-0.03, side, 0.0), (0.1, 0.01, 0.05), "blue")
    _joint(robot, "yaw", "revolute", "base_link", "yaw_link", axis=(1.0, 0.0, 0.0), limits=(-1.6, 1.6))
    cannula = _link(robot, "pitch_link", _LARGE)
    _cylinder(cannula, (0.0, 0.0, 0.02), 0.8 * SHAFT_M, 0.12, "steel")
    _box(cannula, (-0.06, 0.0, 0.5), (0.03, 0.04, 0.9), "dark")
    _box(cannula, (-0.03, 0.0, 0.07), (0.06, 0.04, 0.03), "dark")
    _joint(robot, "pitch", "revolute", "yaw_link", "pitch_link", axis=(0.0, 1.0, 0.0), limits=(-0.93, 0.93))


def _add_shaft(robot: Xml.Element) -> None:
    """What slides through the cannula, turns in it, and ends in a wrist."""
    carriage = _link(robot, "insertion_link", _LARGE)
    _box(carriage, (-0.03, 0.0, _SHAFT_LENGTH_M - 0.05), (0.11, 0.09, 0.1), "blue")
    _joint(
        robot,
        "insertion",
        "prismatic",
        "pitch_link",
        "insertion_link",
        axis=(0.0, 0.0, -1.0),
        limits=(0.0, INSERTION_M),
        effort=200.0,
    )
    shaft = _link(robot, "roll_link", _LARGE)
    below = WRIST_M / 3
    _cylinder(
        shaft,
        (0.0, 0.0, -(_SHAFT_LENGTH_M + below) / 2),
        SHAFT_M / 2,
        _SHAFT_LENGTH_M - below,
        "dark",
        collides=True,
    )
    # from here on z points out of the instrument
    flipped = (math.pi, 0.0, 0.0)
    _joint(
        robot,
        "roll",
        "revolute",
        "insertion_link",
        "roll_link",
        axis=(0.0, 0.0, 1.0),
        limits=(-3.03, 3.03),
        turned=flipped,
    )
    wrist = _link(robot, "tool_wrist_pitch_link", _SMALL)
    _box(wrist, (0.0, 0.0, WRIST_M / 3), (0.6 * SHAFT_M, 0.7 * SHAFT_M, WRIST_M), "steel", collides=True)
    _joint(
        robot,
        "wrist_pitch",
        "revolute",
        "roll_link",
        "tool_wrist_pitch_link",
        axis=(0.0, 1.0, 0.0),
        limits=(-1.57, 1.57),
        effort=20.0,
    )


def _add_jaws(robot: Xml.Element) -> None:
    """Two jaws on one axis, whose pads are parallel around something in between."""
    clevis = _link(robot, GRASP, _SMALL)
    _cylinder(clevis, (0.0, 0.0, 0.0), SHAFT_M / 4, 0.8 * SHAFT_M, "steel", turned=_ACROSS)
    _joint(
        robot,
        "wrist_yaw",
        "revolute",
        "tool_wrist_pitch_link",
        GRASP,
        axis=(1.0, 0.0, 0.0),
        limits=(-1.39, 1.39),
        at_m=(0.0, 0.0, WRIST_M),
        effort=20.0,
    )
    width, thick, length = PAD_M
    for name, side in zip(JAWS, (-1.0, 1.0), strict=True):
        jaw = _link(robot, f"{name}_link", _SMALL)
        # built as it is when the pads are parallel, and turned back to where jaws are closed
        back = (side * PARALLEL_RAD, 0.0, 0.0)
        aside, middle = side * (PARALLEL_M + thick) / 2, JAW_M + TIP_M - length / 2
        _box(jaw, _turned_x(back[0], (0.0, aside, middle)), PAD_M, "steel", collides=True, turned=back)
        arm = (0.6 * width, thick, JAW_M + TIP_M - length)
        _box(jaw, _turned_x(back[0], (0.0, aside, arm[2] / 2)), arm, "steel", turned=back)
        _joint(
            robot,
            name,
            "revolute",
            GRASP,
            f"{name}_link",
            axis=(-side, 0.0, 0.0),  # both open to positive angles
            limits=(-0.05, 1.2),
            effort=2.0,
        )


def _link(robot: Xml.Element, name: str, weight: tuple[float, float]) -> Xml.Element:
    mass, moment = weight
    link = Xml.SubElement(robot, "link", name=name)
    inertial = Xml.SubElement(link, "inertial")
    Xml.SubElement(inertial, "mass", value=str(mass))
    about = {"ixx": moment, "iyy": moment, "izz": moment, "ixy": 0.0, "ixz": 0.0, "iyz": 0.0}
    Xml.SubElement(inertial, "inertia", {axis: str(value) for axis, value in about.items()})
    return link


def _joint(
    robot: Xml.Element,
    name: str,
    kind: str,
    parent: str,
    child: str,
    *,
    axis: Triple,
    limits: tuple[float, float],
    at_m: Triple = (0.0, 0.0, 0.0),
    turned: Triple = (0.0, 0.0, 0.0),
    effort: float = 100.0,
) -> None:
    joint = Xml.SubElement(robot, "joint", name=name, type=kind)
    Xml.SubElement(joint, "origin", xyz=_text(at_m), rpy=_text(turned))
    Xml.SubElement(joint, "parent", link=parent)
    Xml.SubElement(joint, "child", link=child)
    Xml.SubElement(joint, "axis", xyz=_text(axis))
    low, high = limits
    Xml.SubElement(joint, "limit", lower=str(low), upper=str(high), effort=str(effort), velocity="4")


def _box(
    link: Xml.Element,
    at_m: Triple,
    size_m: Triple,
    colour: str,
    *,
    turned: Triple = (0.0, 0.0, 0.0),
    collides: bool = False,
) -> None:
    _shape(link, "box", {"size": _text(size_m)}, at_m, turned, colour, collides)


def _cylinder(
    link: Xml.Element,
    at_m: Triple,
    radius_m: float,
    length_m: float,
    colour: str,
    *,
    turned: Triple = (0.0, 0.0, 0.0),
    collides: bool = False,
) -> None:
    size = {"radius": f"{radius_m:.9g}", "length": f"{length_m:.9g}"}
    _shape(link, "cylinder", size, at_m, turned, colour, collides)


def _shape(
    link: Xml.Element, shape: str, size: dict[str, str], at_m: Triple, turned: Triple, colour: str, collides: bool
) -> None:
    for kind in ("visual", "collision") if collides else ("visual",):
        part = Xml.SubElement(link, kind)
        Xml.SubElement(part, "origin", xyz=_text(at_m), rpy=_text(turned))
        Xml.SubElement(Xml.SubElement(part, "geometry"), shape, size)
        if kind == "visual":
            Xml.SubElement(part, "material", name=colour)


def _turned_x(angle_rad: float, point: Triple) -> Triple:
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    x, y, z = point
    return x, cos * y - sin * z, sin * y + cos * z


def _text(values: Triple) -> str:
    return " ".join(f"{value:.9g}" for value in values)
