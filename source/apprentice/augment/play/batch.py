"""The plans that all environments are playing with one end effector, as one batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from apprentice.augment.attempt import ArmState

OPEN = 2**62
"""A gate that is behind the end of every plan."""


class PlanBatch:
    """Targets and gripper commands of N environments, each with a plan and a place in it of its own."""

    def __init__(self, num_envs: int, max_steps: int, gripper_width: int, signals: Sequence[str]) -> None:
        """Room for plans.

        Args:
            num_envs: Environments, N.
            max_steps: No plan is longer.
            gripper_width: Width of the gripper command, G.
            signals: Names of the subtask signals, in the order in which `watch` gets them.
        """
        self._targets = torch.eye(4).repeat(num_envs, max_steps, 1, 1)
        self._labels = self._targets.clone()
        self._gripper = torch.zeros(num_envs, max_steps, gripper_width)
        self._length = torch.ones(num_envs, dtype=torch.long)
        self._env_ids = torch.arange(num_envs)
        self._signals = {name: index for index, name in enumerate(signals)}
        self._signal = torch.full((num_envs,), -1, dtype=torch.long)
        self._signal_now = torch.zeros(num_envs, dtype=torch.bool)
        self._signal_risen = torch.zeros(num_envs, dtype=torch.bool)
        self.cursor = torch.zeros(num_envs, dtype=torch.long)
        """Next step of each plan; past the end, the last one is held. Shape (N,)."""
        self.gate = torch.full((num_envs,), OPEN, dtype=torch.long)
        """Step of each plan at which it waits for other end effectors, holding the step before, at least 1. Shape
        (N,)."""
        self.in_last = torch.zeros(num_envs, dtype=torch.bool)
        """Whether each plays the last subtask. Shape (N,)."""

    def load(self, env_id: int, arm: ArmState, signal: str | None, last: bool) -> None:
        """Play a plan in an environment, from its cursor.

        Args:
            env_id: The environment.
            arm: Plan and cursor.
            signal: The subtask's signal, None if its end is not detected.
            last: Whether it is the last subtask.
        """
        assert arm.plan is not None
        length = len(arm.plan.targets)
        self._targets[env_id, :length] = arm.plan.targets
        self._labels[env_id, :length] = arm.plan.labels
        self._gripper[env_id, :length] = arm.plan.gripper
        self._length[env_id] = length
        self.cursor[env_id] = arm.cursor
        self.gate[env_id] = OPEN
        self.in_last[env_id] = last
        self._signal[env_id] = -1 if signal is None else self._signals[signal]
        self._signal_risen[env_id] = False

    def rest(self, env_id: int, target: Tensor, gripper: Tensor) -> None:
        """Hold a pose for as long as no plan is loaded. Shapes (4, 4), (G,)."""
        self._targets[env_id, 0] = self._labels[env_id, 0] = target
        self._gripper[env_id, 0] = gripper
        self._length[env_id] = self.gate[env_id] = 1
        self.cursor[env_id] = 0
        self.in_last[env_id] = False
        self._signal[env_id] = -1

    @property
    def over(self) -> Tensor:
        """Which environments have played their plan to its end. Shape (N,)."""
        return (self.cursor >= self._length) & (self.gate > self._length)

    def current(self) -> tuple[Tensor, Tensor]:
        """Targets and gripper commands of this step. Shapes (N, 4, 4), (N, G)."""
        return self._targets[self._env_ids, self._at], self._gripper[self._env_ids, self._at]

    def labels(self) -> Tensor:
        """The targets of this step without noise. Shape (N, 4, 4)."""
        return self._labels[self._env_ids, self._at]

    @property
    def _at(self) -> Tensor:
        return torch.minimum(torch.minimum(self.cursor, self._length - 1), self.gate - 1)

    def advance(self, active: Tensor) -> None:
        """Go on by one step in active environments, as far as gates let them. Shape (N,)."""
        self.cursor = torch.minimum(self.cursor + active.long(), self.gate)

    def watch(self, signals: Tensor) -> None:
        """Note the subtask signals after a step. Shape (N, number of signals)."""
        if signals.shape[1]:
            self._signal_now = signals.gather(1, self._signal.clamp_min(0)[:, None])[:, 0] & (self._signal >= 0)
            self._signal_risen |= self._signal_now

    def reached(self, env_id: int, at_end: bool) -> bool:
        """Whether the subtask's signal is true now (`at_end`), or has been true during the plan."""
        return bool((self._signal_now if at_end else self._signal_risen)[env_id])
