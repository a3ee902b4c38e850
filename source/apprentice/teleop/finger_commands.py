"""What the fingers of robot hands are told: the operator's own where they are tracked, else a posture for the grip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from apprentice.tasks.finger_actions import FingerColumns, Grips
from apprentice.teleop.fingers import FingerRetarget
from apprentice.teleop.frame import TeleopFrame


class FingerCommands:
    """Keeps a posture per environment and hand, and changes it as the frames say."""

    AGREES = 0.25
    """Share of a hand's closing by which a person's may differ from the robot's and go on from there."""

    def __init__(self, hands: Mapping[str, FingerColumns], num_envs: int) -> None:
        """Args:
        hands: By end effector.
        num_envs: N.
        """
        self._hands, self._num_envs = dict(hands), num_envs
        self._postures = {eef: hand.open.repeat(num_envs, 1) for eef, hand in hands.items()}
        self._retargets: dict[tuple[str, int], FingerRetarget] = {}
        self._waiting: set[tuple[str, int]] = set()

    def load(self) -> None:
        """Load what follows tracked fingers now, rather than when some are seen first.

        Raises:
            UserError: If the extra is not installed.
        """
        for eef in self._hands:
            for env_id in range(self._num_envs):
                self._retarget(eef, env_id)

    def reset(self, env_ids: Sequence[int], held: Mapping[str, Tensor] | None = None) -> None:
        """Begin, or go on.

        Args:
            env_ids: In which environments.
            held: By end effector, the postures to go on with (rad), of all environments. Shape (N, J) each. They stay
                so until the operator's fingers agree, and follow those from then on. None begins with open hands that
                follow at once.
        """
        for eef, hand in self._hands.items():
            for env_id in env_ids:
                self._waiting.discard((eef, env_id))
                if (eef, env_id) in self._retargets:
                    self._retargets[eef, env_id].restart()
                self._postures[eef][env_id] = hand.open if held is None else held[eef][env_id].to(hand.open)
                if held is not None:
                    self._waiting.add((eef, env_id))

    def postures(self, frames: Sequence[TeleopFrame | None], grips: Grips) -> dict[str, Tensor]:
        """What the hands are told now.

        Args:
            frames: One per environment; None changes nothing.
            grips: What other devices say. Shape (N, 1) each.

        Returns:
            Finger joint targets by end effector (rad). Shape (N, J) each.

        Raises:
            UserError: If fingers are tracked and the extra is not installed.
        """
        for eef, hand in self._hands.items():
            by_grip = hand.posture(grips[eef].cpu())
            for env_id, frame in enumerate(frames):
                if frame is None or eef not in frame.hands:
                    continue
                person = frame.hands[eef].joints
                if not person:
                    self._postures[eef][env_id] = by_grip[env_id]
                    continue
                joints = self._retarget(eef, env_id).joints(person)
                if joints is not None:
                    self._take(eef, env_id, torch.as_tensor(joints, dtype=torch.float32))
        return {eef: posture.clone() for eef, posture in self._postures.items()}

    def _retarget(self, eef: str, env_id: int) -> FingerRetarget:
        if (eef, env_id) not in self._retargets:
            self._retargets[eef, env_id] = FingerRetarget(self._hands[eef].hand)
        return self._retargets[eef, env_id]

    def _take(self, eef: str, env_id: int, posture: Tensor) -> None:
        """Follow the operator's fingers, once they agreed with how the hand is: going on is no drop, and no snap."""
        if (eef, env_id) in self._waiting:
            hand = self._hands[eef]
            off = hand.grip(posture) - hand.grip(self._postures[eef][env_id])
            if float(off.abs()) > 2.0 * self.AGREES:
                return
            self._waiting.discard((eef, env_id))
        self._postures[eef][env_id] = posture
