"""Who holds what: where objects and hands are, step by step, as far as mishaps need to know it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from apprentice.errors import UserError
from apprentice.evaluate.contracts import Laboratory, Observations

Array = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

LIFTED_M = 0.03
"""Height above where it began from which on an object is lifted."""
IN_HAND_M = 0.1
"""Farthest that the origin of a held object is from the middle of the hand."""
SLIP_M = 0.005
"""Most that a held object moves in the hand in one control step."""
AT_HAND_M = 0.05
"""Distance of an object's origin from the middle of the hand below which the hand is at it."""


class Scene:
    """Poses of movable objects and of hands, and what is held."""

    def __init__(self, session: Laboratory) -> None:
        """Watch a simulation.

        Raises:
            UserError: If its task does not tell where hands and objects are, or how its grippers open.
        """
        self.objects = tuple(session.movable_objects)
        self.hands = dict(session.grippers())
        if not self.hands or set(self.hands) != set(session.task_info.eef_names) or not self.objects:
            raise UserError(
                f"Expected a task with objects whose grippers are told to open by one number each, found {session.task}"
                "; leave out conditions with a mishap."
            )
        self._frames = {eef: torch.tensor(grasp.frame) for eef, grasp in self.hands.items()}
        n, e, o = session.num_envs, len(self.hands), len(self.objects)
        self.position: Array = np.zeros((n, o, 3))
        """Of objects (m, environment frame). Shape (N, O, 3)."""
        self.rotation: Array = np.zeros((n, o, 3, 3))
        """Of objects. Shape (N, O, 3, 3)."""
        self.hand: Array = np.zeros((n, e, 4, 4))
        """Grasp frames: z along the approach, y from finger to finger. Shape (N, E, 4, 4)."""
        self.began: Array = np.zeros((n, o, 3))
        """Where objects were when the rollout began. Shape (N, O, 3)."""
        self.moved: Array = np.zeros((n, o))
        """How far objects moved in the last step (m). Shape (N, O)."""
        self.closed: Bools = np.zeros((n, e), dtype=bool)
        """Whether hands were last told to close. Shape (N, E)."""
        self.held: Bools = np.zeros((n, e, o), dtype=bool)
        """Whether a hand holds an object, lifted. Shape (N, E, O)."""
        self._in_hand: Array = np.zeros((n, e, o, 3))

    def begin(self, env_ids: Sequence[int], obs: Observations) -> None:
        """New rollouts began."""
        self._look(obs)
        rows = list(env_ids)
        self.began[rows] = self.position[rows]
        self.closed[rows], self.held[rows], self.moved[rows] = False, False, 0.0

    def closing(self, actions: torch.Tensor) -> Bools:
        """Whether actions tell hands to close. Shape (N, E)."""
        grasps = list(self.hands.values())
        told = actions[:, [grasp.column for grasp in grasps]].double().numpy(force=True)
        middle = np.array([(grasp.open + grasp.closed) / 2 for grasp in grasps])
        return (told - middle) * np.array([grasp.open - grasp.closed for grasp in grasps]) < 0

    def advance(self, obs: Observations, closed: Bools, acting: Bools) -> None:
        """Take in one step of those acting, whose hands were told as `closed` says."""
        before = self.position.copy()
        self._look(obs)
        self.closed[acting] = closed[acting]
        self.moved[acting] = np.linalg.norm(self.position - before, axis=-1)[acting]
        offset = np.einsum("neji,neoj->neoi", self.hand[..., :3, :3], self._apart())
        slipped = np.linalg.norm(offset - self._in_hand, axis=-1) > SLIP_M
        self._in_hand = offset
        away = self.distance
        nearest = away == away.min(axis=2, keepdims=True)
        lifted = self.position[..., 2] > self.began[..., 2] + LIFTED_M
        held = self.closed[..., None] & nearest & (away < IN_HAND_M) & ~slipped & lifted[:, None]
        self.held[acting] = held[acting]

    @property
    def distance(self) -> Array:
        """From the middle of each hand to each object (m). Shape (N, E, O)."""
        return np.linalg.norm(self._apart(), axis=-1)

    def _apart(self) -> Array:
        return self.position[:, None] - self.hand[:, :, None, :3, 3]

    def _look(self, obs: Observations) -> None:
        poses = [obs[f"datagen_info/object_pose/{name}"].double().numpy(force=True) for name in self.objects]
        objects = np.stack(poses, axis=1)
        self.position, self.rotation = objects[..., :3, 3].copy(), objects[..., :3, :3].copy()
        hands = [obs[f"datagen_info/eef_pose/{eef}"].cpu() @ frame for eef, frame in self._frames.items()]
        self.hand = torch.stack(hands, dim=1).double().numpy()
