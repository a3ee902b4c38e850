"""What an evaluation needs of a policy and of a simulator: the parts of their contracts that it uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from apprentice.sim.physics import Physics
from apprentice.tasks.grasps import Grasp

Observations = Mapping[str, torch.Tensor]
"""Observation terms by name, as under `obs/` in a demo file. Shapes (N, ...)."""

States = Mapping[str, torch.Tensor]
"""The scene's state, by "/"-joined names, relative to each environment's origin. Shapes (N, ...)."""


class Policy(Protocol):
    """A checkpoint that plays many environments at once and remembers each of them apart."""

    def start(self, num_envs: int) -> None:
        """Make room for `num_envs` environments."""
        ...

    def reset(self, env_ids: Sequence[int], seeds: Sequence[int]) -> None:
        """Forget what was seen in these environments, and draw each one's noise from its seed."""
        ...

    def act(self, obs: Observations, env_ids: torch.Tensor | None = None) -> torch.Tensor:
        """Actions of the environments whose rows `obs` holds: all, or those in `env_ids`. Shape (n, A)."""
        ...


class TaskInfo(Protocol):
    """The part of what a task says about itself that rollouts use."""

    @property
    def eef_names(self) -> Sequence[str]:
        """End effectors; none if the task does not tell their poses."""
        ...

    @property
    def objects(self) -> Sequence[str]:
        """Objects of the scene."""
        ...

    @property
    def symmetry(self) -> Mapping[str, int]:
        """Order of each object's rotational symmetry about its vertical axis; 1 is none, and need not be said."""
        ...

    @property
    def subtasks(self) -> Mapping[str, Sequence[tuple[str | None, str | None]]]:
        """Per end effector, each subtask's object and the signal of its end (None: not detected), in order."""
        ...


class Simulation(Protocol):
    """The part of `apprentice.tasks.session.Session` that rollouts use."""

    task: str
    variant: str | None
    backend: str
    num_envs: int

    @property
    def task_info(self) -> TaskInfo:
        """What the task says about itself."""
        ...

    def reset(self, env_ids: Sequence[int] | None = None, seeds: Sequence[int] | None = None) -> Observations:
        """Reset these environments, each to the initial state of its seed."""
        ...

    def set_state(self, state: States, env_ids: Sequence[int]) -> Observations:
        """Put these environments into states, as `state` gives them; rows for them only."""
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


class Laboratory(Simulation, Protocol):
    """A simulation that may be interfered with: what robustness suites need beside rollouts."""

    @property
    def movable_objects(self) -> Sequence[str]:
        """Objects that can be pushed."""
        ...

    def observe(self) -> Observations:
        """What a policy may see now."""
        ...

    def sense(self, errors: Mapping[str, torch.Tensor]) -> Observations:
        """What a policy would see now if the poses of these entities were measured with errors. Shapes (N, 6)."""
        ...

    def neutral_actions(self) -> torch.Tensor:
        """Actions that stay put with the gripper open. Shape (N, A)."""
        ...

    def grippers(self) -> Mapping[str, Grasp]:
        """How grippers are opened and closed, by end effector; empty where that is not known."""
        ...

    def move_object(
        self,
        name: str,
        env_ids: Sequence[int],
        *,
        poses: torch.Tensor | None = None,
        velocities: torch.Tensor | None = None,
    ) -> None:
        """Put an object somewhere, shape (K, 7), or let it move on at a velocity, shape (K, 6)."""
        ...

    def set_physics(self, env_ids: Sequence[int], physics: Sequence[Physics]) -> None:
        """Give environments a physics of their own, until told otherwise."""
        ...


@dataclass(kw_only=True, frozen=True)
class Outcome:
    """What an intervention came to in one rollout."""

    not_counted: str | None = None
    """Why the rollout says nothing about the policy; None if it counts."""
    kind: str | None = None
    """What happened, such as "drop"."""
    state: dict[str, Any] | None = None
    """The scene's state right after it, by name, as nested lists, if there is one to begin episodes from."""


class Intervention(Protocol):
    """Something that happens during rollouts, of which the policy only sees what it observes."""

    def begin(self, env_ids: Sequence[int], seeds: Sequence[int], obs: Observations) -> None:
        """New rollouts begin in these environments, whose interventions are drawn from these seeds."""
        ...

    def before(self, actions: torch.Tensor, acting: torch.Tensor) -> torch.Tensor:
        """Interfere before a step of the acting environments; returns the actions to be taken. Shapes (N, A), (N,)."""
        ...

    def after(self, obs: Observations, acting: torch.Tensor) -> None:
        """Look at what the step led to."""
        ...

    def outcome(self, env_id: int) -> Outcome:
        """What it came to in this environment, whose rollout has ended."""
        ...
