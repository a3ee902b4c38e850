"""Fits a segment of a source demo into the present scene: moved with its object, bridged to, and looked at first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apprentice.augment.cfg import BridgeCfg
from apprentice.augment.sources.demos import SourceDemo
from apprentice.poses.arrays import log_matrix

from .bridge import Kind, Terms, find_bridge, fixed, unchecked_bridge
from .limits import Problem, Space, look_along
from .profile import StepLimits
from .response import Response, fit_response
from .transform import grasp_correction, hold_correction

Array = NDArray[np.float64]

_LOOKS = 4
"""Poses of a segment that are looked at."""
ROOM_M = 0.015
"""Distance that a segment should keep from objects that it is not about. What just fits here does not fit a policy that
learns from it: where a grasp gives way to a neighbour, it must not matter much where exactly the line is drawn."""


@dataclass(kw_only=True, frozen=True)
class Fitted:
    """A segment in the present scene, with the way to it."""

    targets: Tensor
    """Targets of bridge and segment, without noise. Shape (L, 4, 4)."""
    hand: Tensor
    """Where the hand is meant to be before each of these steps (m). Shape (L, 3)."""
    bridge_steps: int
    """Steps before the segment."""
    leaving_steps: int
    """Those of them, at its beginning, in which the hand is still close to something."""
    bridge: Kind
    """How the way to it was found."""
    problem: Problem | None
    """Why it cannot be played."""
    room_m: float = math.inf
    """How near it comes to objects that it is not about; negative where it would overlap."""


@dataclass(kw_only=True, frozen=True)
class Segment:
    """What is to be fitted."""

    demo: SourceDemo
    start: int
    end: int
    """The step after its last."""
    about: str | None
    """Object that it is about."""
    held: str | None
    """Object that is in the hand when it starts."""
    now: int
    """Step of the source demo that is like the present one: where the subtask began, before any free transit."""
    moved: Tensor
    """Rigid motion from source to present scene. Shape (4, 4)."""
    drawn: frozenset[str] = frozenset()
    """Objects that it draws along with what is held."""
    held_fast: bool = False
    """Whether other hands hold that object as well."""


class Fitter:
    """Fits segments of one end effector."""

    def __init__(
        self, eef: str, demos: list[SourceDemo], control_hz: float, keep_grasp: bool, cfg: BridgeCfg, pace: float
    ) -> None:
        """Learn how the hand follows its targets.

        Args:
            eef: Its name.
            demos: Source demos.
            control_hz: Control steps per second.
            keep_grasp: Whether to correct for how an object lies in the hand.
            cfg: How bridges are made.
            pace: Share of the speeds in `cfg` at which this hand carries things.
        """
        self._eef = eef
        self._keep_grasp = keep_grasp
        self._cfg = cfg
        self.response: Response = fit_response((demo.eef[eef].numpy(), demo.target[eef].numpy()) for demo in demos)
        self._limits = StepLimits(
            speed=cfg.speed_m_s / control_hz,
            acceleration=cfg.acceleration_m_s2 / control_hz**2,
            turn=cfg.turn_rad_s / control_hz,
            turn_acceleration=cfg.turn_acceleration_rad_s2 / control_hz**2,
        ).at_pace(pace)

    def fit(
        self,
        segment: Segment,
        eef: Tensor,
        held_pose: Tensor | None,
        space: Space | None,
        rng: np.random.Generator,
    ) -> Fitted:
        """Move a segment into the scene and bridge to it.

        Args:
            segment: What to play.
            eef: End effector now. Shape (4, 4).
            held_pose: The held object now. Shape (4, 4).
            space: The arm in the scene, None where nobody can look.
            rng: Where the search for a way draws.
        """
        demo, part = segment.demo, slice(segment.start, segment.end)
        correction = self._correction(segment, eef, held_pose)
        targets = segment.moved @ demo.target[self._eef][part] @ correction
        hand = (segment.moved @ demo.eef[self._eef][part] @ correction).numpy()
        here, arrival = eef.numpy(), _velocity(hand)
        if space is None:
            way = unchecked_bridge(here, hand[0], arrival, self._limits)
            problem, room = None, math.inf
        else:
            terms = Terms(
                limits=self._limits,
                clearance_m=0.0 if segment.drawn else self._cfg.clearance_m,  # it is drawn close to what it lies on
                about=segment.about,
                drawn=segment.drawn,
                near_m=self._cfg.near_m,
            )
            way = find_bridge(space, here, hand[0], arrival, terms, rng)
            problem, room = way.problem, math.inf
            if problem is None and way.joints is not None:
                problem, room = self._look(space, hand, way.joints, segment)
        lead = torch.from_numpy(self.response.targets(here, way.path))
        meant = np.concatenate((here[None], way.path[:-1], hand))[:, :3, 3]
        return Fitted(
            targets=torch.cat((lead, targets)),
            hand=torch.from_numpy(meant),
            bridge_steps=len(way.path),
            leaving_steps=way.leaving_steps,
            bridge=way.kind,
            problem=problem,
            room_m=room,
        )

    def fixed(
        self, segment: Segment, eef: Tensor, held_pose: Tensor | None, begin: Tensor, interpolated: int, still: int
    ) -> Fitted:
        """The same as Isaac Lab does it.

        Args:
            segment: What to play.
            eef: End effector now. Shape (4, 4).
            held_pose: The held object now. Shape (4, 4).
            begin: Where the bridge begins: at the last target, or at the end effector. Shape (4, 4).
            interpolated: Targets between that and the segment's first.
            still: Further ones at the latter.
        """
        targets = segment.demo.target[self._eef][segment.start : segment.end]
        targets = segment.moved @ targets @ self._correction(segment, eef, held_pose)
        way = fixed(begin, targets[0], interpolated, still)
        hand = segment.moved @ segment.demo.eef[self._eef][segment.start : segment.end]
        return Fitted(
            targets=torch.cat((way, targets)),
            hand=torch.cat((way, hand))[:, :3, 3],
            bridge_steps=len(way),
            leaving_steps=0,
            bridge="fixed",
            problem=None,
        )

    def _correction(self, segment: Segment, eef: Tensor, held_pose: Tensor | None) -> Tensor:
        # compared at like times: what is held settles in the hand on the way
        demo, now, held = segment.demo, segment.now, segment.held
        if not self._keep_grasp or held is None or held_pose is None:
            return torch.eye(4, dtype=torch.float64)
        correction = hold_correction if segment.held_fast else grasp_correction
        return correction(demo.eef[self._eef][now], demo.objects[held][now], eef, held_pose)

    def _look(self, space: Space, hand: Array, seed: Array, segment: Segment) -> tuple[Problem | None, float]:
        """Whether the arm can reach a segment's poses, and how near it comes to what the segment is not about."""
        nearest = math.inf

        def slack(_: int, distances: dict[tuple[str, str], float]) -> float:
            nonlocal nearest
            own = segment.drawn | {segment.about, ""}
            others = [d for (_, other), d in distances.items() if other not in own]
            nearest = min([nearest, *others])
            return np.inf

        places = np.unique(np.linspace(0, len(hand) - 1, _LOOKS + 1).round().astype(int))[1:]
        look = look_along(space, hand, places.tolist(), seed, slack)
        return look.problem, nearest


def _velocity(hand: Array) -> Array | None:
    """How a path begins: metres and rotation vector per step. Shape (6,)."""
    if len(hand) < 2:
        return None
    return np.concatenate((hand[1, :3, 3] - hand[0, :3, 3], log_matrix(hand[1, :3, :3] @ hand[0, :3, :3].T)))
