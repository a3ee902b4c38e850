"""Why a try failed: the first thing that went wrong, seen from where hand and objects were, in any Mimic task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

NOT_REACHED = "not reached"
"""The hand was not where it was sent when it mattered: when the gripper moved, or at the end."""
UNREACHABLE = "unreachable"
"""The same, and the arm could go no further: stretched out, or at a joint limit."""
COLLIDED = "collided"
"""Something was pushed on the way to the segment."""
KNOCKED_OVER = "knocked over"
"""Something that should stay was pushed or tipped during the segment."""
MISSED = "missed"
"""The hand did its part, and the object did not come along."""
DROPPED = "dropped"
"""An object that was held was lost."""
MISPLACED = "misplaced"
"""A held object was let go of where it should not be."""
NOT_HELD = "not held"
"""Success came, and did not last."""
TIMED_OUT = "timed out"
"""Nothing visible went wrong, and the end did not come."""
CAUSES = (
    NOT_REACHED,
    UNREACHABLE,
    COLLIDED,
    KNOCKED_OVER,
    MISSED,
    DROPPED,
    MISPLACED,
    NOT_HELD,
    TIMED_OUT,
)

_SHORT_M = 0.03
"""Distance to its target from which the hand has not reached it; more where the source demo's was more."""
_SHORT_RAD = 0.4
"""Angle to its target from which it has not, likewise."""
_AROUND = (2, 6)
"""Control steps before and after the gripper moves that count as that moment: the hand lags, and targets are noisy."""
_PUSHED_M, _TIPPED_RAD = 0.02, 0.35
_FALLEN_RAD = 0.8
_LOST_M = 0.03
_FIRM_M, _LIFTED_M = 0.01, 0.02
"""An object that moves this little in a hand that moves that much is held."""
_MISPLACED_M = 0.02
_STALLED = 0.25
"""Motion around the decisive moment, as a share of the distance to the target, below which a hand goes no further."""
_OUTWARDS = 0.7
"""Cosine between where a hand is asked to go and level away from the base from which the arm is stretched out."""

Poses = NDArray[np.float64]


@dataclass(kw_only=True, frozen=True)
class Segment:
    """What the source demo did. T' control steps."""

    eef: Poses
    """The hand before each step. Shape (T', 4, 4)."""
    target: Poses
    """Where each step sent it. Shape (T', 4, 4)."""
    objects: Mapping[str, Poses]
    """Shape (T', 4, 4) each."""
    changes: Sequence[int]
    """Steps at which the gripper command jumps."""
    held: str | None
    """Object that the hand carries when the segment starts."""


@dataclass(kw_only=True, frozen=True)
class Try:
    """What happened when it was played. T control steps, in the environment's frame."""

    source: Segment
    about: str | None
    """Object that the subtask is about."""
    bridge_steps: int
    """Steps on the way to the segment."""
    eef: Poses
    """The hand before each step, and after the last. Shape (T + 1, 4, 4)."""
    target: Poses
    """Where each step sent it. Shape (T, 4, 4)."""
    objects: Mapping[str, Poses]
    """Shape (T + 1, 4, 4) each."""
    changes: Sequence[int]
    """Steps at which the gripper command jumped."""
    succeeded: bool
    """Whether success was true at some step."""
    symmetry: Mapping[str, int]
    """Order of each object's symmetry about its z axis."""
    base: Poses | None = None
    """The robot's base. Shape (4, 4)."""
    foreseen: Literal["unreachable", "collides"] | None = None
    """What was found wrong with the plan before it was played, so that it was not."""
    outside_m: float | None = None
    """How far from where it must go the arm can bring the hand, if it was found that it cannot."""

    @property
    def length(self) -> int:
        return len(self.target)

    @property
    def grasps(self) -> bool:
        """Whether the segment takes hold of something."""
        return self.source.held is None and bool(self.source.changes)


@dataclass(kw_only=True, frozen=True)
class Cause:
    """Why a try failed."""

    name: str
    """One of `CAUSES`."""
    object: str | None = None
    """The object that it happened to."""
    off_m: float | None = None
    """How far off, in metres: the hand from its target; a missed object from where the source demo's hand had it; a
    dropped one from the hand; a pushed one from where it stood; a misplaced one from its place."""
    off_rad: float | None = None
    """How far the hand was turned from its target, where that is what was wrong."""
    step: int | None = None
    """Control step of the try at which it showed."""
    gripper_moved: bool = True
    """Whether the gripper was told to move at all."""


def diagnose(failed: Try) -> Cause:
    """The cause of a failed try: the first thing that went wrong, else what was missing at its end."""
    if failed.foreseen is not None:
        name = UNREACHABLE if failed.foreseen == "unreachable" else COLLIDED
        return Cause(name=name, object=failed.about, off_m=failed.outside_m, step=0)
    if failed.succeeded:
        return Cause(name=NOT_HELD, object=failed.source.held or failed.about)
    events = [*_lost(failed), *_pushed(failed), *_short(failed)]
    if events:
        return min(events, key=lambda event: event.step or 0)
    return _missing(failed)


def _lost(failed: Try) -> Iterator[Cause]:
    """A held object that leaves the hand before it is let go of."""
    held = failed.source.held
    if held is not None:
        since, until = 0, min((step for step in failed.changes if step >= failed.bridge_steps), default=failed.length)
        place = _in_hand(failed.eef, failed.objects[held])
        expected = _in_hand(failed.source.eef[:1], failed.source.objects[held][:1])[0]
        if np.linalg.norm(place[0] - expected) > 2 * _LOST_M:
            yield Cause(name=DROPPED, object=held, off_m=_norm(place[0] - expected), step=0)
            return
    elif failed.grasps and failed.changes and failed.about is not None:
        held, since, until = failed.about, failed.changes[-1], failed.length
        place = _in_hand(failed.eef, failed.objects[held])
    else:
        return
    slip = np.linalg.norm(place - place[since], axis=1)[since : until + 1]
    if failed.grasps:
        travel = np.linalg.norm(failed.eef[:, :3, 3] - failed.eef[since, :3, 3], axis=1)[since : until + 1]
        firm = np.flatnonzero((travel > _LIFTED_M) & (slip < _FIRM_M))
        if not len(firm):
            return
        slip[: firm[0]] = 0.0
    gone = np.flatnonzero(slip > _LOST_M)
    if len(gone):
        yield Cause(name=DROPPED, object=held, off_m=float(slip.max()), step=since + int(gone[0]))


def _pushed(failed: Try) -> Iterator[Cause]:
    """Objects that move or tip and should not."""
    for name, poses in failed.objects.items():
        if name == failed.source.held:
            continue
        handled = failed.grasps and name == failed.about
        moved = np.linalg.norm(poses[:, :3, 3] - poses[0, :3, 3], axis=1)
        tipped = _tilt(poses)
        if handled:
            # it may be moved, not tipped, and not before the hand is there
            bad = tipped > _FALLEN_RAD
            bad[: failed.bridge_steps + 1] |= moved[: failed.bridge_steps + 1] > _PUSHED_M
        else:
            source = failed.source.objects[name]
            if np.linalg.norm(source[:, :3, 3] - source[0, :3, 3], axis=1).max() > _PUSHED_M:
                continue
            bad = (moved > _PUSHED_M) | (tipped > _TIPPED_RAD)
        steps = np.flatnonzero(bad)
        if len(steps):
            first = int(steps[0])
            cause = COLLIDED if first <= failed.bridge_steps else KNOCKED_OVER
            yield Cause(name=cause, object=name, off_m=float(moved.max()), step=first)


def _short(failed: Try) -> Iterator[Cause]:
    """The hand away from its target when it matters."""
    decisive = [step for step in failed.changes if step >= failed.bridge_steps] or [failed.length - 1]
    there = list(failed.source.changes) or [len(failed.source.target) - 1]
    usual = [_distance(failed.source.eef, failed.source.target, step) for step in there]
    most_m = max(_SHORT_M, 1.5 * max(gap.metres for gap in usual))
    most_rad = max(_SHORT_RAD, 1.5 * max(gap.radians for gap in usual))
    for step in decisive:
        gap = _distance(failed.eef, failed.target, step)
        if gap.metres > most_m or gap.radians > most_rad:
            far = gap.metres > most_m
            name = UNREACHABLE if _cannot_go_on(failed, gap.step) else NOT_REACHED
            off_m, off_rad = (gap.metres, None) if far else (None, gap.radians)
            yield Cause(name=name, object=failed.about, off_m=off_m, off_rad=off_rad, step=step)
            return


@dataclass(frozen=True)
class _Gap:
    """Between a hand and its targets around a step."""

    metres: float
    radians: float
    step: int
    """At which it was nearest."""


def _distance(eef: Poses, target: Poses, step: int) -> _Gap:
    first, last = max(0, step - _AROUND[0]), min(step + _AROUND[1], len(eef) - 1)
    if last <= first:
        return _Gap(0.0, 0.0, step)
    there, wanted = eef[first + 1 : last + 1], target[first:last]
    gaps = there[:, :3, 3] - wanted[:, :3, 3]
    each = np.linalg.norm(gaps, axis=1)
    cosines = (np.einsum("tij,tij->t", there[:, :3, :3], wanted[:, :3, :3]) - 1) / 2
    # noise on targets is not the hand's fault, so their mean counts as well
    metres = min(float(each.min()), _norm(gaps.mean(0)))
    return _Gap(metres, float(np.arccos(np.clip(cosines, -1, 1)).min()), first + int(each.argmin()))


def _cannot_go_on(failed: Try, step: int) -> bool:
    """Whether the arm is stretched out: the hand hardly moves, though it is asked to, away from the robot's base."""
    here, wanted = failed.eef[step + 1, :3, 3], failed.target[step, :3, 3]
    onwards = wanted - here
    first, last = max(0, step - _AROUND[0]), min(step + _AROUND[1], len(failed.eef) - 1)
    moved = _norm(failed.eef[last, :3, 3] - failed.eef[first, :3, 3])
    if failed.base is None or moved > _STALLED * _norm(onwards):
        return False
    # level, because a shoulder is not at the height of the base
    outwards = (here - failed.base[:3, 3])[:2]
    return float(onwards[:2] @ outwards) > _OUTWARDS * _norm(onwards) * _norm(outwards)


def _missing(failed: Try) -> Cause:
    """What there should be at the end and is not."""
    about, held, source = failed.about, failed.source.held, failed.source
    if about is None:
        return Cause(name=TIMED_OUT)
    if held is not None:
        off = _off_place(failed, held, about)
        return Cause(name=MISPLACED, object=held, off_m=off) if off > _MISPLACED_M else Cause(name=TIMED_OUT)
    if failed.grasps and failed.changes:
        at, there = failed.changes[-1], source.changes[-1]
        if _firm_at_end(failed, about, at):
            return Cause(name=TIMED_OUT, object=about)
    else:
        at, there = failed.length, len(source.eef) - 1
    expected = _in_hand(source.eef[there : there + 1], source.objects[about][there : there + 1])[0]
    found = _in_hand(failed.eef[at : at + 1], failed.objects[about][at : at + 1])[0]
    off_m = _norm(found - expected)
    return Cause(name=MISSED, object=about, off_m=off_m, step=at, gripper_moved=bool(failed.changes))


def _firm_at_end(failed: Try, name: str, since: int) -> bool:
    place = _in_hand(failed.eef, failed.objects[name])
    lifted = _norm(failed.objects[name][-1, :3, 3] - failed.objects[name][since, :3, 3])
    return lifted > _LIFTED_M and _norm(place[-1] - place[since]) < _FIRM_M


def _off_place(failed: Try, held: str, about: str) -> float:
    """How far a held object ended from where the source demo put it, seen from the object it is put to."""
    expected = _seen_from(failed.source.objects[about][-1], failed.source.objects[held][-1])
    found = _seen_from(failed.objects[about][-1], failed.objects[held][-1])
    angles = np.arange(failed.symmetry.get(about, 1)) * (2 * np.pi / failed.symmetry.get(about, 1))
    cos, sin = np.cos(angles), np.sin(angles)
    turned = np.stack((cos * found[0] - sin * found[1], sin * found[0] + cos * found[1], np.full_like(cos, found[2])))
    return float(np.linalg.norm(turned.T - expected, axis=1).min())


def _in_hand(eef: Poses, poses: Poses) -> Poses:
    """Positions seen from the hand. Shape (T, 3)."""
    return np.einsum("tji,tj->ti", eef[:, :3, :3], poses[:, :3, 3] - eef[:, :3, 3])


def _seen_from(frame: Poses, pose: Poses) -> Poses:
    return frame[:3, :3].T @ (pose[:3, 3] - frame[:3, 3])


def _tilt(poses: Poses) -> Poses:
    """Angle by which each pose's z axis has left that of the first. Shape (T,)."""
    return np.arccos(np.clip(poses[:, :3, 2] @ poses[0, :3, 2], -1.0, 1.0))


def _norm(vector: Poses) -> float:
    return float(np.linalg.norm(vector))
