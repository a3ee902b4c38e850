"""Mishaps: what goes wrong with a grasp or a stack, once in each rollout, at a time drawn from its seed.

- drop: an object is held and lifted, and the hand is forced open.
- knock: while hands are open, an object, first of all one that was lifted before, is knocked away.
- miss: a hand is about to close on an object, which moves away by some centimetres, past the fingers.

The policy only sees what it observes. A rollout counts if the mishap struck, changed something, and left everything
where the task can still be done.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from apprentice.evaluate.contracts import Laboratory, Observations, Outcome
from apprentice.evaluate.robustness.aftermath import Aftermath, Region
from apprentice.evaluate.robustness.cfg import MISHAPS
from apprentice.evaluate.robustness.scene import AT_HAND_M, LIFTED_M, Array, Bools, Scene

FORCED_STEPS = 10
"""Control steps for which a hand is forced open."""
WAIT_STEPS = {"drop": (0, 15), "knock": (3, 20), "miss": (0, 1)}
"""Control steps from an occasion to the mishap: at least, and less than."""
KNOCK_M_S = (0.8, 1.2)
"""Speed of a knocked object."""
KNOCK_TUMBLE_RAD_M = (0.0, 15.0)
"""Its rotation, for each metre per second: from sliding to falling over."""
MISS_M = (0.035, 0.05)
"""How far an object moves away from a closing hand: past a finger, which it would otherwise meet."""
CLEAR_M = 0.06
"""Least distance that this leaves to other objects."""
CLOSING_AT_M = 0.04
"""Distance of an object from the middle of a hand within which the hand closes on it."""


@dataclass
class _Plan:
    """What is to go wrong in one rollout."""

    occasion: int
    """Which grasp, or release, it strikes at; counted from 0."""
    wait: int
    """Control steps from there to the mishap."""
    rng: np.random.Generator
    seen: int = 0
    """Occasions so far."""
    struck: bool = False
    forced: int = 0
    """Control steps for which hands are still forced open."""


class Mishaps:
    """One kind of mishap in every rollout."""

    def __init__(self, session: Laboratory, kind: str, *, region: Region | None) -> None:
        """Let things go wrong in a simulation.

        Args:
            session: The simulation.
            kind: One of `MISHAPS`.
            region: Where objects can be reached, if that is known.

        Raises:
            UserError: If its task does not tell where hands and objects are, or how its grippers open.
        """
        self._session, self._kind = session, kind
        self._scene = Scene(session)
        self._aftermath = Aftermath(session, self._scene, kind, region)
        self._region = region
        # an object is taken by one subtask and brought to its place by the next
        subtasks = sum(len(parts) for parts in session.task_info.subtasks.values())
        self._occasions = max(1, subtasks // 2)
        self._plans = [_Plan(0, 0, np.random.default_rng(0)) for _ in range(session.num_envs)]
        self._forced_hands: Bools = np.zeros((session.num_envs, len(self._scene.hands)), dtype=bool)
        self._closing: Bools = np.zeros_like(self._forced_hands)

    def begin(self, env_ids: Sequence[int], seeds: Sequence[int], obs: Observations) -> None:
        """Draw what goes wrong in new rollouts."""
        self._scene.begin(env_ids, obs)
        self._aftermath.begin(env_ids)
        for env_id, seed in zip(env_ids, seeds, strict=True):
            rng = np.random.default_rng([seed, 2 + MISHAPS.index(self._kind)])
            # an occasion first, so that seeds spread evenly over them
            self._plans[env_id] = _Plan(
                int(rng.integers(self._occasions)), int(rng.integers(*WAIT_STEPS[self._kind])), rng
            )

    def before(self, actions: torch.Tensor, acting: torch.Tensor) -> torch.Tensor:
        """Let it happen where it is time."""
        self._closing = self._scene.closing(actions)
        strike = {"drop": self._drop, "knock": self._knock, "miss": self._miss}[self._kind]
        for env_id in acting.nonzero().flatten().tolist():
            plan = self._plans[env_id]
            if not plan.struck:
                place = strike(env_id, plan)
                if place is not None:
                    plan.struck = True
                    self._aftermath.strike(env_id, place)
            if plan.forced > 0:
                plan.forced -= 1
                actions = self._open(actions, env_id)
        return actions

    def after(self, obs: Observations, acting: torch.Tensor) -> None:
        """See what came of it."""
        rows, held_before, closed_before = acting.numpy(force=True), self._scene.held, self._scene.closed
        had, was_closed = held_before.any(axis=(1, 2)), closed_before.any(axis=1)
        self._scene.advance(obs, self._closing, rows)
        has, is_closed = self._scene.held.any(axis=(1, 2)), self._scene.closed.any(axis=1)
        if self._kind == "drop":
            occurred = has & ~had
        else:
            occurred = was_closed & ~is_closed
        for env_id in np.flatnonzero(occurred & rows).tolist():
            self._plans[env_id].seen += self._kind != "miss"
        self._aftermath.advance(rows)

    def outcome(self, env_id: int) -> Outcome:
        """What it came to."""
        if not self._plans[env_id].struck:
            return Outcome(not_counted=f"there was no occasion for a {self._kind}")
        return self._aftermath.outcome(env_id)

    def _drop(self, env_id: int, plan: _Plan) -> int | None:
        """Force hands open that hold something. Returns which object falls."""
        held = self._scene.held[env_id]
        if plan.seen <= plan.occasion or not held.any():
            return None
        if plan.wait > 0:
            plan.wait -= 1
            return None
        place = int(np.flatnonzero(held.any(axis=0))[0])
        self._forced_hands[env_id], plan.forced = held[:, place], FORCED_STEPS
        return place

    def _open(self, actions: torch.Tensor, env_id: int) -> torch.Tensor:
        actions = actions.clone()
        for forced, (hand, grasp) in zip(
            self._forced_hands[env_id], enumerate(self._scene.hands.values()), strict=True
        ):
            if forced:
                actions[env_id, grasp.column] = grasp.open
                self._closing[env_id, hand] = False
        return actions

    def _knock(self, env_id: int, plan: _Plan) -> int | None:
        """Knock an object away from hands that are open."""
        if plan.seen < plan.occasion or self._closing[env_id].any() or self._scene.closed[env_id].any():
            return None
        if plan.wait > 0:
            plan.wait -= 1
            return None
        raised = self._scene.position[env_id, :, 2] > self._scene.began[env_id, :, 2] + 0.5 * LIFTED_M
        free = (self._scene.distance[env_id] > AT_HAND_M).all(axis=0)
        places = np.flatnonzero(free & raised if raised.any() else free)
        if not len(places):
            return None
        place, angle = int(plan.rng.choice(places)), plan.rng.uniform(0, 2 * math.pi)
        speed = plan.rng.uniform(*KNOCK_M_S)
        along, tumble = np.array([math.cos(angle), math.sin(angle), 0.0]), plan.rng.uniform(*KNOCK_TUMBLE_RAD_M)
        velocity = np.concatenate((speed * along, speed * tumble * np.cross([0, 0, 1], along)))
        name = self._scene.objects[place]
        self._session.move_object(name, [env_id], velocities=torch.tensor(velocity[None]))
        return place

    def _miss(self, env_id: int, plan: _Plan) -> int | None:
        """Move an object out of a hand that is about to close on it."""
        scene = self._scene
        away = scene.distance[env_id]
        about = self._closing[env_id] & ~scene.closed[env_id] & (away.min(axis=1) < CLOSING_AT_M)
        if not about.any():
            return None
        plan.seen += 1
        if plan.seen <= plan.occasion:
            return None
        hand = int(np.flatnonzero(about)[0])
        place = int(away[hand].argmin())
        across = scene.hand[env_id, hand, :3, 0] * np.array([1.0, 1.0, 0.0])
        if np.linalg.norm(across) < 0.5:  # a hand that reaches from the side: along the ground, past its fingers
            across = np.cross(scene.hand[env_id, hand, :3, 1], [0.0, 0.0, 1.0])
        across /= np.linalg.norm(across)
        distance, sign = plan.rng.uniform(*MISS_M), plan.rng.choice((-1.0, 1.0))
        for way in (sign, -sign):
            target = scene.position[env_id, place] + way * distance * across
            if self._is_free(env_id, place, target):
                self._put(env_id, place, target)
                return place
        return None

    def _is_free(self, env_id: int, place: int, target: Array) -> bool:
        others = np.delete(self._scene.position[env_id], place, axis=0)
        clear = bool((np.linalg.norm(others - target, axis=-1) > CLEAR_M).all())
        return clear and (self._region is None or self._region.holds(target))

    def _put(self, env_id: int, place: int, target: Array) -> None:
        from apprentice.poses import quat_from_rotation

        turn = quat_from_rotation(torch.tensor(self._scene.rotation[env_id, place]))
        pose = torch.cat((torch.tensor(target), turn))[None]
        self._session.move_object(self._scene.objects[place], [env_id], poses=pose, velocities=torch.zeros(1, 6))
