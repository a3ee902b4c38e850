"""A scripted operator that moves as people do: late, unsteady, each time at another pace, and not without mistakes.

It looks at the same poses as a person on the screen would, some time ago, walks through an oracle's waypoints, and says
what its hand wants in the frames that every other device uses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from apprentice.tasks.oracle import Oracle, Stage, Waypoint
from apprentice.teleop.frame import Command, CommandFrame, Hand, Pose, TeleopFrame
from apprentice.teleop.sources.base import Mailbox, View

Vector = NDArray[np.float64]

_DOWN = np.array((0.0, 0.0, -1.0))


@dataclass(kw_only=True, frozen=True)
class ScriptedCfg:
    speed_m_s: tuple[float, float] = (0.3, 0.45)
    """Range of the fastest hand motion; each episode has its own."""
    careful: tuple[float, float] = (0.35, 0.5)
    """Range of how much of that speed is left where it matters."""
    turn_speed_rad_s: float = 1.0
    """Fastest turn of the hand."""
    reaction_s: tuple[float, float] = (0.1, 0.2)
    """Range of the time from what happens to what the hand does about it."""
    smoothing_s: float = 0.12
    """Time in which a hand changes its velocity."""
    tremor_m_s: float = 0.008
    """Unsteadiness of the hand's velocity, standard deviation."""
    tremor_rad_s: float = 0.02
    """Unsteadiness of the hand's turn, standard deviation."""
    aim_m: float = 0.003
    """How far beside the exact spot the hand settles, standard deviation along x and y."""
    aim_rad: float = 0.04
    """How far it is turned there, standard deviation."""
    grip_s: tuple[float, float] = (0.4, 0.6)
    """Range of the time given to the gripper to open or close."""
    pause_chance: float = 0.04
    """How often a person stops and thinks before a waypoint."""
    pause_s: tuple[float, float] = (0.2, 0.7)
    """How long that takes."""
    miss_chance: float = 0.04
    """How often a grasp closes short of the object. It is noticed, and tried again."""
    close_look: float = 0.15
    """Share of unsteadiness and inaccuracy that is left where something is fitted by looking closely."""
    fitting_per_s: float = 14.0
    """How fast it is let into its place, for how exactly it must arrive: an arm that sets out quickly swerves by more
    than a hole leaves room for."""


class ScriptedOperator:
    """One operator in one environment, for one episode. A `SteppedSource`."""

    _GAIN = 1.9
    """Wanted speed per distance to the goal (1/s)."""
    _CAREFUL_M = 0.008
    """Distance at which a careful waypoint is reached."""
    _NEAR_RAD = (0.3, 0.09)
    """How far the hand may be turned at a waypoint, and at a careful one."""
    _PATIENCE_S = 2.5
    """After this long at a careful waypoint, about right is good enough; after twice as long, it starts again."""
    _CALM_M_S = 0.045
    """A hand slower than this may open or close the gripper."""
    _ASIDE_M = (0.006, 0.02)
    """Beside a careful goal by less than the first, the hand comes down; by more than the second, it does not."""
    _ASIDE_FITTED = (0.5, 1.0)
    """The same where something is fitted, as multiples of how exactly it must arrive."""
    _FITTED_RAD_PER_M = 20.0
    """How exactly it must be turned, for how exactly it must be placed."""
    _LOST_M = 0.045
    """An object this far from the fingers is not in them."""
    _FINGER_ROOM_M = 0.075
    """Another object nearer than this is in the way of a finger on its side."""

    def __init__(
        self,
        oracle: Oracle,
        *,
        control_hz: float,
        seed: int,
        symmetry: Mapping[str, int] | None = None,
        cfg: ScriptedCfg | None = None,
    ) -> None:
        """Be a person with a pace of their own.

        Args:
            oracle: The way through the task.
            control_hz: How often `advance` will be called, per second of simulated time.
            seed: Decides about pace, noise and mistakes.
            symmetry: Order of each object's rotational symmetry about its vertical axis; 1 where missing.
            cfg: How people move.
        """
        self._oracle, self._cfg, self._dt = oracle, cfg or ScriptedCfg(), 1.0 / control_hz
        self._symmetry = symmetry or {}
        self._held = Rotation.from_matrix(oracle.held)
        self._rng = np.random.default_rng(seed)
        self._mailbox = Mailbox()
        self._speed = self._rng.uniform(*self._cfg.speed_m_s)
        self._careful = self._rng.uniform(*self._cfg.careful)
        self._seen: deque[View] = deque(maxlen=1 + round(self._rng.uniform(*self._cfg.reaction_s) / self._dt))
        self._velocity, self._tremor = np.zeros(6), np.zeros(6)
        self._home_yaw: float | None = None
        self._stage = self._place = 0
        self._begun = self._closed = False
        self._unsteady, self._tipped = 1.0, 0.0
        self.said: set[str] = set()
        """What other hands may know that it has done."""
        self.mistakes = 0
        """Grasps missed, objects lost and stages begun again so far."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self._stage >= len(self._oracle.stages)

    @property
    def waypoint(self) -> Waypoint | None:
        """Where it goes; None when nothing is left to do."""
        return None if self.done else self._stages[self._stage].waypoints[self._place]

    @property
    def begun(self) -> bool:
        """Whether it is under way there."""
        return self._begun

    @property
    def closed(self) -> bool:
        """Whether its gripper is closed."""
        return self._closed

    def keep_pace_with(self, other: ScriptedOperator) -> None:
        """Move as fast as another does, as the hands of one person."""
        self._speed, self._careful = other._speed, other._careful
        self._seen = deque(maxlen=other._seen.maxlen)

    def start(self) -> None:
        self._mailbox = Mailbox()

    def latest(self) -> TeleopFrame | None:
        return self._mailbox.take()

    def stop(self) -> None:
        pass  # there is no device to give back

    def advance(self, time_s: float, view: View) -> None:
        """Look, and move the hand a little. The first call asks to start recording."""
        first = not self._seen
        self._seen.append(view)
        wanted, closed = self._decide(self._seen[0])
        # a hand has inertia
        self._velocity += (wanted - self._velocity) * min(1.0, self._dt / self._cfg.smoothing_s)
        hand = Hand(twist=self._velocity + self._shake(), grip=float(closed))
        events = (Command.START,) if first else ()
        self._mailbox.put(
            TeleopFrame(time_s=time_s, hands={self._oracle.eef: hand}, events=events, command_frame=CommandFrame.WORLD)
        )

    def _shake(self) -> Vector:
        scale = self._unsteady * np.repeat((self._cfg.tremor_m_s, self._cfg.tremor_rad_s), 3)
        # low-passed, so that neighbouring steps shake alike; scaled to keep the standard deviation
        keep = 0.7
        self._tremor = keep * self._tremor + np.sqrt(1 - keep**2) * self._rng.normal(0.0, scale)
        return self._tremor

    def _decide(self, view: View) -> tuple[Vector, bool]:
        """Wanted twist, shape (6,), and whether the gripper is closed."""
        if self.done:
            return np.zeros(6), False
        waypoint, fitting = self._stages[self._stage].waypoints[self._place], self._is_fitting()
        hand = view.eef_poses[self._oracle.eef]
        if not self._begun:
            self._begin(waypoint, hand, view)
        self._age_s += self._dt
        if self._age_s < self._pause_s:
            return np.zeros(6), self._closed
        if waypoint.brings and self._is_lost(_point(view.object_poses[waypoint.brings], waypoint.held_at_m), hand):
            if self._stages[self._stage].waypoints[0].brings == waypoint.brings and self._stage > 0:
                self._stage -= 1  # it was taken up there
            self._again()
            return np.zeros(6), self._closed
        self._closed = waypoint.closed
        off = self._goal(waypoint, hand, view) - hand[:3, 3]
        turn = self._turn(hand)
        # what is in the hand comes as its place wants it; an empty hand comes in the direction in which it points
        direction = _coming(waypoint, view) if waypoint.brings else self._pointing(self._yaw_goal)
        along = (off @ direction) * direction
        beside = float(np.linalg.norm(off - along))
        low, high = self._ASIDE_M
        if waypoint.within_m is not None:
            low, high = (waypoint.within_m * factor for factor in self._ASIDE_FITTED)
        if self._arrived(waypoint, off, turn):
            self._next(view)
        elif fitting and beside > 2 * high:  # it went astray
            self._again(self._place - 1)
        elif waypoint.careful and self._age_s > 2 * self._PATIENCE_S:
            self._again(0 if waypoint.within_m is None else self._place - 1)
        if _stands_still(waypoint):
            return np.zeros(6), self._closed
        if waypoint.careful and off @ direction > 0.0:  # what is too deep may always come up
            off -= along * (1.0 - np.clip((high - beside) / (high - low), 0.0, 1.0))
        speed = self._speed * (self._careful if waypoint.careful else 1.0)
        if waypoint.within_m is not None and fitting:
            speed = min(speed, self._cfg.fitting_per_s * waypoint.within_m)
        return self._twist(off, turn, speed), self._closed

    @property
    def _stages(self) -> tuple[Stage, ...]:
        return self._oracle.stages

    def _begin(self, waypoint: Waypoint, hand: Pose, view: View) -> None:
        cfg, rng = self._cfg, self._rng
        if self._home_yaw is None:
            self._home_yaw = self._yaw(hand)
        self._begun, self._age_s, self._lost_s = True, 0.0, 0.0
        self._pause_s = rng.uniform(*cfg.pause_s) if rng.random() < cfg.pause_chance else 0.0
        self._grip_s = rng.uniform(*cfg.grip_s)
        self._from = hand[:3, 3].copy()
        self._unsteady = 1.0 if waypoint.within_m is None else cfg.close_look
        spread = self._unsteady * cfg.aim_m * np.array((1.0, 1.0, 0.3)) * (1.0 if waypoint.careful else 3.0)
        self._aim = np.clip(rng.normal(0.0, spread), -2 * spread, 2 * spread)
        if waypoint.exact:
            self._aim, self._pause_s = np.zeros(3), 0.0
        grasps = waypoint.careful and not waypoint.closed and self._closes_next()
        missed = grasps and rng.random() < cfg.miss_chance
        self._yaw_goal = self._home_yaw if waypoint.at_ease else self._yaw(hand)
        self._tipped = waypoint.tipped_rad
        if waypoint.about is not None:
            beside = bool(waypoint.brings) and any(waypoint.off_m)
            self._yaw_goal = self._natural_yaw(waypoint.about, view, beside) + rng.normal(
                0.0, self._unsteady * cfg.aim_rad
            )
        if missed:
            self._aim -= self._oracle.miss_m * self._pointing(self._yaw_goal)
            self.mistakes += 1

    def _is_fitting(self) -> bool:
        """Whether what was aligned is now let into its place."""
        waypoints = self._stages[self._stage].waypoints[max(self._place - 1, 0) : self._place + 1]
        return len(waypoints) == 2 and all(waypoint.within_m is not None for waypoint in waypoints)

    def _closes_next(self) -> bool:
        ahead = self._stages[self._stage].waypoints[self._place + 1 :]
        return bool(ahead) and ahead[0].closed

    def _natural_yaw(self, name: str, view: View, beside: bool) -> float:
        """The turn that suits the object, leaves room for the fingers unless these stay beside it, and is nearest to
        where the wrist is at ease."""
        assert self._home_yaw is not None
        period = 2 * np.pi / self._symmetry.get(name, 1)
        apart = _heading(view.object_poses[name]) - self._home_yaw
        nearest = self._home_yaw + (apart + period / 2) % period - period / 2
        turns = [nearest + k * period for k in (0, 1, -1)] if period < np.pi else [nearest]
        free = [yaw for yaw in turns if beside or not self._is_cramped(name, yaw, view)]
        return min(free or [nearest], key=lambda yaw: abs(yaw - nearest))

    def _is_cramped(self, name: str, yaw: float, view: View) -> bool:
        """Whether another object lies where a finger would go."""
        fingers = self._oriented(yaw)[:2, 1]
        here = view.object_poses[name][:3, 3]
        for other in view.object_poses.values():
            off = other[:3, 3] - here
            beside = float(np.linalg.norm(off[:2]))
            near = 0.0 < beside < self._FINGER_ROOM_M and abs(off[2]) < self._FINGER_ROOM_M / 2
            if near and abs(off[:2] @ fingers) > 0.6 * beside:
                return True
        return False

    def _goal(self, waypoint: Waypoint, hand: Pose, view: View) -> Vector:
        above = self._from if waypoint.about is None else _point(view.object_poses[waypoint.about], waypoint.at_m)
        if waypoint.place_m is not None:
            above = np.array(waypoint.place_m)
        position = above + (0.0, 0.0, waypoint.height_m) + self._aim
        if any(waypoint.off_m):
            position = position + self._oriented(self._yaw_goal) @ waypoint.off_m
        if (waypoint.about is not None or waypoint.place_m is not None) and waypoint.brings:
            position = position + (hand[:3, 3] - _point(view.object_poses[waypoint.brings], waypoint.tip_m))
        return position

    def _arrived(self, waypoint: Waypoint, off: Vector, turn: Vector) -> bool:
        if _stands_still(waypoint):
            return self._age_s > self._pause_s + self._grip_s
        slack = 2.0 if self._age_s > self._PATIENCE_S else 1.0
        within_m = self._CAREFUL_M if waypoint.careful else self._oracle.near_m
        within_rad = self._NEAR_RAD[waypoint.careful]
        if waypoint.within_m is not None:
            within_m, within_rad = waypoint.within_m, waypoint.within_m * self._FITTED_RAD_PER_M
        near = float(np.linalg.norm(off)) < slack * within_m
        if waypoint.careful and float(np.linalg.norm(self._velocity[:3])) > slack * self._CALM_M_S:
            return False
        return near and float(np.linalg.norm(turn)) < slack * within_rad

    def _is_lost(self, held: Vector, hand: Pose) -> bool:
        apart = float(np.linalg.norm(held - hand[:3, 3]))
        self._lost_s = self._lost_s + self._dt if apart > self._LOST_M else 0.0
        return self._lost_s > 0.3

    def _again(self, place: int = 0) -> None:
        self.mistakes += 1
        self._place, self._begun = place, False
        self.said -= {waypoint.says for waypoint in self._stages[self._stage].waypoints[place:] if waypoint.says}

    def _next(self, view: View) -> None:
        stage = self._stages[self._stage]
        if says := stage.waypoints[self._place].says:
            self.said.add(says)
        self._place, self._begun = self._place + 1, False
        if self._place < len(stage.waypoints):
            return
        if not _in_place(stage, view):
            self._again()
            return
        self._stage, self._place = self._stage + 1, 0

    def _turn(self, hand: Pose) -> Vector:
        """Rotation vector from the hand's orientation to how it is held for its goal. Shape (3,)."""
        goal = Rotation.from_matrix(self._oriented(self._yaw_goal))
        return (goal * Rotation.from_matrix(hand[:3, :3]).inv()).as_rotvec()

    def _oriented(self, yaw: float) -> Vector:
        """How the hand is held, turned about the vertical axis, and tipped. Shape (3, 3)."""
        return (Rotation.from_euler("z", yaw) * self._held * Rotation.from_euler("x", self._tipped)).as_matrix()

    def _pointing(self, yaw: float) -> Vector:
        """The direction in which the hand points, turned about the vertical axis. Shape (3,)."""
        return self._oriented(yaw)[:, 2]

    def _yaw(self, hand: Pose) -> float:
        """Turn about the vertical axis from how the hand is held at first to how it is now."""
        return _heading(hand[:3, :3] @ self._held.as_matrix().T)

    def _twist(self, off: Vector, turn: Vector, speed: float) -> Vector:
        linear = _limited(self._GAIN * off, speed)
        return np.concatenate((linear, _limited(self._GAIN * turn, self._cfg.turn_speed_rad_s)))


def _stands_still(waypoint: Waypoint) -> bool:
    return waypoint.about is waypoint.place_m is None and not (waypoint.height_m or any(waypoint.off_m))


def _coming(waypoint: Waypoint, view: View) -> Vector:
    """Direction in which what the gripper brings comes to its place. Shape (3,)."""
    if waypoint.about is None or waypoint.along is None:
        return _DOWN
    return view.object_poses[waypoint.about][:3, :3] @ waypoint.along


def _heading(pose: Pose) -> float:
    """Direction of the x axis, seen from above (rad). Shape (3, 3) or (4, 4)."""
    return float(np.arctan2(pose[1, 0], pose[0, 0]))


def _limited(vector: Vector, length: float) -> Vector:
    return vector * min(1.0, length / max(float(np.linalg.norm(vector)), 1e-9))


def _point(pose: Pose, at_m: tuple[float, float, float]) -> Vector:
    return pose[:3, 3] + pose[:3, :3] @ at_m


def _in_place(stage: Stage, view: View) -> bool:
    if stage.moved is None or stage.onto is None:
        return True
    off = view.object_poses[stage.moved][:3, 3] - _point(view.object_poses[stage.onto], stage.at_m)
    return float(np.linalg.norm(off[:2])) < stage.within_m and abs(off[2] - stage.height_m) < 0.01
