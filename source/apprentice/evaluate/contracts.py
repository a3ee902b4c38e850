"""What an evaluation needs of a policy and of a simulator: the parts of their contracts that it uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

Observations = Mapping[str, torch.Tensor]
"""Observation terms by name, as under `obs/` in a demo file. Shapes (N, ...)."""

States = Mapping[str, torch.Tensor]
"""The scene's state, by "/"-joined names, relative to each environment's origin. Shapes (N, ...)."""


class Policy(Protocol):
    """A checkpoint that plays many environments at once and remembers each of them apart."""

    def start(self, num_envs: int) -> None:
        """Make room for `num_envs` environments."""
        ...

    def reset(self, env_ids: torch.Tensor) -> None:
        """Forget what was seen in these environments. Shape (n,)."""
        ...

    def act(self, obs: Observations, env_ids: torch.Tensor | None = None) -> torch.Tensor:
        """Actions of the environments whose rows `obs` holds: all, or those in `env_ids`. Shape (n, A)."""
        ...


class TaskInfo(Protocol):
    """What the task says about itself."""

    eef_names: Sequence[str]
    objects: Sequence[str]
    subtasks: Mapping[str, Sequence[Any]]
    """Per end effector its subtasks in order, each with an `object` and a `signal` (None: no signal)."""
    neutral_action: torch.Tensor
    """Stays put. Shape (A,)."""


class Simulation(Protocol):
    """The part of `apprentice.sim.Session` that rollouts use."""

    task: str
    variant: str | None
    backend: str
    num_envs: int
    task_info: Any  # a TaskInfo; protocols' mutable members are invariant, so the narrower type cannot stand here

    def reset(self, env_ids: Sequence[int] | None = None, seeds: Sequence[int] | None = None) -> Observations:
        """Reset these environments, each to the initial state of its seed."""
        ...

    def step(self, actions: torch.Tensor, active: torch.Tensor | None = None) -> Observations:
        """Advance the active environments by one control step; the others stand still."""
        ...

    def success(self) -> torch.Tensor:
        """Whether the success term is true right now. Shape (N,)."""
        ...

    def subtask_signals(self) -> Mapping[str, torch.Tensor]:
        """Whether each subtask is complete right now. Shapes (N,)."""
        ...

    def state(self) -> States:
        """The scene's state, relative to each environment's origin."""
        ...
