"""The hands whose fingers can follow a person's."""

from __future__ import annotations

from collections.abc import Iterable

from . import g1, gr1t2
from .assets import G1, GR1T2, UrdfModel
from .fingers import Finger, FingeredHand
from .humanoid import SIDES, DexterousHand


def _dex3(side: str) -> FingeredHand:
    out = 1.0 if side == "right" else -1.0
    fingers = {"thumb": _dex3_finger(side, "thumb", 1, (0.0, out * 0.052, 0.0))} | {
        name: _dex3_finger(side, name, 0, (0.052, 0.0, 0.0)) for name in ("index", "middle")
    }
    return _hand(side, G1, g1.hand(side), fingers)


def _dex3_finger(side: str, name: str, first: int, tip_m: tuple[float, float, float]) -> Finger:
    links = [f"{side}_hand_{name}_{number}_link" for number in (first, first + 1)]
    return Finger(knuckle=links[0], end=links[1], tip_m=tip_m)


_FOURIER_TIPS_M = {
    "thumb": (0.0305, -0.001, 0.0),
    "index": (0.039, -0.002, 0.0),
    "middle": (0.047, -0.0025, 0.0),
    "ring": (0.0385, -0.0015, 0.0),
    "pinky": (0.033, -0.0015, 0.0),
}


def _fourier(side: str) -> FingeredHand:
    begin = side[0].upper()
    parts = dict.fromkeys(gr1t2.FINGERS, ("proximal", "intermediate")) | {"thumb": ("proximal_pitch", "distal")}
    fingers = {
        name: Finger(
            knuckle=f"{begin}_{name}_{parts[name][0]}_link", end=f"{begin}_{name}_{parts[name][1]}_link", tip_m=tip_m
        )
        for name, tip_m in _FOURIER_TIPS_M.items()
    }
    return _hand(side, GR1T2, gr1t2.hand(side), fingers)


def _hand(side: str, model: UrdfModel, hand: DexterousHand, fingers: dict[str, Finger]) -> FingeredHand:
    return FingeredHand(
        side=side, model=model, link=hand.link, grasp=hand.grasp, open=hand.open, closed=hand.closed, fingers=fingers
    )


HANDS = tuple(make(side) for make in (_dex3, _fourier) for side in SIDES)
"""Dex3 of the Unitree G1, six-motor hand of the Fourier GR1T2; left and right."""


def hands_of(joints: Iterable[str]) -> tuple[FingeredHand, ...]:
    """Those hands all of whose joints are among `joints`."""
    there = set(joints)
    return tuple(hand for hand in HANDS if there >= hand.open.keys())
