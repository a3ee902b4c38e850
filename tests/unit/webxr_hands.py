"""A person's hand as WebXR shows it: bones of usual length, bent as asked for.

Built along the axes of a hand that points forward with the thumb up: x down, y left, z forward. The palm of the right
hand faces left, that of the left one is its mirror image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]

FINGERS = ("thumb", "index", "middle", "ring", "pinky")
_KNUCKLES_M = {
    "index": (-0.025, 0.0, 0.092),
    "middle": (-0.003, 0.0, 0.095),
    "ring": (0.017, 0.0, 0.088),
    "pinky": (0.035, 0.0, 0.078),
}
_BONES_M = {
    "index": (0.040, 0.025, 0.022),
    "middle": (0.045, 0.029, 0.024),
    "ring": (0.042, 0.027, 0.024),
    "pinky": (0.033, 0.020, 0.020),
}
_THUMB_BASE_M = np.array((-0.022, 0.012, 0.025))
_THUMB_BONES_M = (0.045, 0.032, 0.027)
_PARTS = ("phalanx-proximal", "phalanx-intermediate", "phalanx-distal", "tip")

FLAT = {"thumb": (-0.085, 0.02, 0.095), "index": 0.0, "middle": 0.0, "ring": 0.0, "pinky": 0.0}
RELAXED = {"thumb": (-0.065, 0.045, 0.1), "index": 0.3, "middle": 0.35, "ring": 0.4, "pinky": 0.4}
FIST = {"thumb": (-0.022, 0.055, 0.098), "index": 1.5, "middle": 1.5, "ring": 1.5, "pinky": 1.5}
CYLINDER = {"thumb": (-0.01, 0.085, 0.085), "index": 0.75, "middle": 0.75, "ring": 0.75, "pinky": 0.75}


def towards_fist(closed: float) -> dict[str, float | Point]:
    """A posture on the way from a flat hand to a fist, 0 to 1."""
    thumb = tuple((1 - closed) * np.array(FLAT["thumb"]) + closed * np.array(FIST["thumb"]))
    return {name: closed * FIST[name] for name in FIST if name != "thumb"} | {"thumb": thumb}


def webxr_hand(
    side: str,
    posture: dict[str, float | Point],
    pose: NDArray[np.float64] | None = None,
    scale: float = 1.0,
) -> dict[str, Point]:
    """Places of a hand's joints (m), by their WebXR names.

    Args:
        side: "left" or "right".
        posture: By finger, how far each of its three joints is bent (rad); of the thumb, where its tip is in the axes
            of this module, seen from the wrist of a right hand (m), or the name of the finger whose tip it meets.
        pose: Where the hand is, x right, y up, z back. Shape (4, 4).
        scale: Its size; 1 is usual.
    """
    points: dict[str, NDArray[np.float64]] = {"wrist": np.zeros(3)}
    for finger in FINGERS[1:]:
        at, bent = np.array(_KNUCKLES_M[finger]), 0.0
        points[f"{finger}-finger-metacarpal"] = 0.25 * at
        points[f"{finger}-finger-{_PARTS[0]}"] = at
        for bone, part in zip(_BONES_M[finger], _PARTS[1:], strict=True):
            bent += float(posture[finger])
            at = at + bone * np.array((0.0, np.sin(bent), np.cos(bent)))
            points[f"{finger}-finger-{part}"] = at
    where = posture["thumb"]
    tip = points[f"{where}-finger-tip"] + (0.0, 0.004, -0.004) if isinstance(where, str) else np.array(where)
    points |= _thumb(tip)
    result: dict[str, Point] = {}
    for name, point in points.items():
        x, y, z = scale * point * (1.0, 1.0 if side == "right" else -1.0, 1.0)
        there = np.array((-y, -x, -z, 1.0))  # forward is -z, left is -x, down is -y
        result[name] = tuple((np.eye(4) if pose is None else pose)[:3] @ there)
    return result


def _thumb(tip: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """A chain from the base to the tip, bulging away from the palm's other side as far as its bones are too long."""
    along = tip - _THUMB_BASE_M
    far = float(np.linalg.norm(along))
    slack = max(0.0, sum(_THUMB_BONES_M) - far)
    bulge = 0.6 * np.sqrt(slack * far) * np.array((-0.7, 0.7, 0.0))
    return {
        "thumb-metacarpal": _THUMB_BASE_M,
        "thumb-phalanx-proximal": _THUMB_BASE_M + 0.43 * along + bulge,
        "thumb-phalanx-distal": _THUMB_BASE_M + 0.74 * along + 0.8 * bulge,
        "thumb-tip": tip,
    }
