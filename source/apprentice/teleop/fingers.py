"""Lets the fingers of a robot's hand do what a person's do, by the optimisers of dex-retargeting.

A person's hand is measured in the frame of its own palm, so where it is and how it is turned changes nothing. Each
robot finger is to point its tip, seen from its knuckle, as the person's does, in proportion to its length. Robots'
thumbs sit elsewhere than people's: theirs is to be as near to the fingers as the person's is, on its own way there.
Tips of thumb and finger that meet shall meet (DexPilot, arXiv 1910.03135).
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from apprentice.errors import UserError
from apprentice.robots.fingers import FingeredHand
from apprentice.teleop.frame import Point

Vector = NDArray[np.float64]

_PARTS = ("phalanx-proximal", "phalanx-intermediate", "phalanx-distal", "tip")
"""A finger's joints from the knuckle on, as WebXR names them."""
_OPPOSITE = ("index", "middle")
"""Fingers that the thumb works against."""
_LENGTH_M = 0.19
"""Length of a usual hand, to the tip of its middle finger. People's are brought to that."""
_TOUCHING_M, _APART_M = 0.015, 0.063
"""Distance of the thumb's tip from such a finger where they touch, and of an open hand."""
_PINCH_M = (0.018, 0.028)
"""Distance of the thumb's tip from a finger's below which they meet, and above which they part again."""
_ACCURACY = 1e-4
"""Change of the objective at which the optimiser stops: joints are right to some hundredths of a radian."""


class FingerRetarget:
    """One robot hand that follows one person's. What it gave last is where it begins to search."""

    def __init__(self, hand: FingeredHand) -> None:
        """Args:
        hand: The robot's.

        Raises:
            UserError: If the extra is not installed, or the hand's model.
        """
        self._robot: Any = _dex_retargeting("robot_wrapper").RobotWrapper(str(hand.urdf_path()))
        self._names = tuple(hand.open)
        self._fingers = tuple(hand.fingers)
        tips = [_tip(name) for name in self._fingers]
        with _gradients():
            self._optimizer: Any = _dex_retargeting("optimizer").DexPilotOptimizer(
                self._robot,
                list(self._names),
                finger_tip_link_names=tips,
                wrist_link_name=hand.link,
                project_dist=_PINCH_M[0],
                escape_dist=_PINCH_M[1],
            )
        self._optimizer.opt.set_ftol_abs(_ACCURACY)
        self._sequence: Any = _dex_retargeting("seq_retarget").SeqRetargeting(self._optimizer)
        self._turn = np.array(hand.grasp)[:3, :3]
        self._order = [self._robot.get_joint_index(name) for name in self._names]
        low, high = self._robot.joint_limits.T
        self._limits = low[self._order], high[self._order]
        straight = self._links(np.zeros(self._robot.dof))
        self._knuckles = {name: self._place(finger.knuckle) for name, finger in hand.fingers.items()}
        self._lengths = {name: float(np.linalg.norm(straight[name] - at)) for name, at in self._knuckles.items()}
        opened = np.zeros(self._robot.dof)
        opened[self._order] = list(hand.open.values())
        self._open_tips = self._links(opened)
        self._opened = opened[self._order].astype(np.float32)
        self.restart()

    def restart(self) -> None:
        """Begin to search at the open hand, whatever was before: the same frames give the same joints again."""
        self._sequence.last_qpos = self._opened
        self._optimizer.projected[:] = False

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Joints of the robot's hand, in the order of `joints`."""
        return self._names

    def joints(self, person: Mapping[str, Point]) -> Vector | None:
        """What the robot's finger joints are to be (rad), shape (J,); None if the person's hand is not all seen.

        Args:
            person: Places of the hand's joints (m), by their WebXR names, in any frame.
        """
        seen = in_palm(person)
        if seen is None:
            return None
        size = _LENGTH_M / (float(np.linalg.norm(seen[_joint("middle", _PARTS[0])])) + _length(seen, "middle"))
        vectors = self._vectors({name: size * self._turn @ at for name, at in seen.items()})
        with _gradients():
            posture = self._sequence.retarget(vectors)
        return np.clip(posture[self._order], *self._limits)

    def tips(self, joints: Vector) -> dict[str, Vector]:
        """Where the robot's fingertips are (m), by finger, in the frame of the link that carries the hand.

        Args:
            joints: Shape (J,).
        """
        posture = np.zeros(self._robot.dof)
        posture[self._order] = joints
        return self._links(posture)

    def _vectors(self, seen: Mapping[str, Vector]) -> Vector:
        """What DexPilot is to reach: from finger to finger the person's own, from the wrist to where tips are to be."""
        theirs = {name: seen[_joint(name, "tip")] for name in self._fingers}
        lengths = {name: _length(seen, name) for name in self._fingers if name != "thumb"}
        wanted = {
            name: self._knuckles[name]
            + (theirs[name] - seen[_joint(name, _PARTS[0])]) * (self._lengths[name] / lengths[name])
            for name in lengths
        }
        wanted["thumb"] = self._thumb(seen, wanted)
        ours, persons = ([np.zeros(3), *(tips[name] for name in self._fingers)] for tips in (wanted, theirs))
        pairs = zip(*self._optimizer.generate_link_indices(len(self._fingers)), strict=True)
        return np.stack([(persons if a else ours)[b] - (persons if a else ours)[a] for a, b in pairs])

    def _thumb(self, seen: Mapping[str, Vector], wanted: Mapping[str, Vector]) -> Vector:
        """Where the thumb's tip is to be: as far from where the fingers' are to be as the person's is. Shape (3,)."""
        places: list[Vector] = []
        opened = self._open_tips["thumb"]
        for name in _OPPOSITE:
            near = min(np.linalg.norm(seen["thumb-tip"] - seen[_joint(name, part)]) for part in _PARTS[1:])
            share = float(np.clip((near - _TOUCHING_M) / (_APART_M - _TOUCHING_M), 0.0, 1.0))
            towards = opened - wanted[name]
            far = share * float(np.linalg.norm(opened - self._open_tips[name]))
            places.append(wanted[name] + towards * (far / max(float(np.linalg.norm(towards)), 1e-6)))
        return np.mean(places, axis=0)

    def _links(self, posture: Vector) -> dict[str, Vector]:
        self._robot.compute_forward_kinematics(posture)
        return {name: self._place(_tip(name)) for name in self._fingers}

    def _place(self, link: str) -> Vector:
        return np.array(self._robot.get_link_pose(self._robot.get_link_index(link))[:3, 3])


def in_palm(person: Mapping[str, Point]) -> dict[str, Vector] | None:
    """A person's hand in the frame of its palm; None if joints are missing, or lie on top of each other.

    The origin is the wrist; z points to the knuckle of the middle finger, x from the index finger's to the little
    finger's, so that y leaves the palm of a right hand and enters that of a left one: as in a robot's grasp frame.

    Args:
        person: Places of the hand's joints (m), by their WebXR names, in any frame.

    Returns:
        The same. Shapes (3,).
    """
    if not person.keys() >= _NEEDED:
        return None
    at = {name: np.array(person[name], dtype=np.float64) for name in _NEEDED}
    knuckle = {name: at[_joint(name, _PARTS[0])] for name in ("index", "middle", "pinky")}
    z = knuckle["middle"] - at["wrist"]
    across = knuckle["pinky"] - knuckle["index"]
    x = across - z * (across @ z) / max(float(z @ z), 1e-12)
    far, wide = float(np.linalg.norm(z)), float(np.linalg.norm(x))
    if min(far, wide) < 0.005 or any(_length(at, name) < 0.01 for name in _FINGERS):
        return None
    axes = np.stack((x / wide, np.cross(z / far, x / wide), z / far))
    return {name: axes @ (place - at["wrist"]) for name, place in at.items()}


def _length(seen: Mapping[str, Vector], finger: str) -> float:
    """Of a straight finger, from the knuckle to the tip (m)."""
    places = [seen[_joint(finger, part)] for part in _PARTS]
    return float(sum(np.linalg.norm(after - before) for before, after in pairwise(places)))


def _joint(finger: str, part: str) -> str:
    return f"{finger}-{part}" if finger == "thumb" else f"{finger}-finger-{part}"


_FINGERS = ("index", "middle", "ring", "pinky")
_NEEDED = {"wrist", "thumb-tip"} | {_joint(finger, part) for finger in _FINGERS for part in _PARTS}


def _tip(finger: str) -> str:
    return f"{finger}_tip"


@contextlib.contextmanager
def _gradients() -> Iterator[None]:
    """Simulations run without gradients; the search for a posture needs them, from the first tensor on."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def _dex_retargeting(module: str) -> Any:
    """One of the package's modules.

    Raises:
        UserError: If it is not installed.
    """
    try:
        return importlib.import_module(f"dex_retargeting.{module}")
    except ImportError as error:
        raise UserError(
            "Expected dex-retargeting, by which a robot's fingers follow a person's, found that it does not load "
            f"({error}): run `pip install 'isaaclab-apprentice[xr]'`."
        ) from error
