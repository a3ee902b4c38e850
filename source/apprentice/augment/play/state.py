"""What the parts of a rollout share: the environments, the attempts in them, and what they are playing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from apprentice.augment.attempt import Attempt
from apprentice.augment.cfg import AugmentCfg
from apprentice.augment.paths.limits import Space
from apprentice.augment.planning.constraints import Constraints, Key, read_constraints
from apprentice.augment.planning.plan import Planner, Scene
from apprentice.poses import set_upright

from .batch import PlanBatch

_OBJECT = "datagen_info/object_pose/"


@dataclass
class RolloutState:
    """N environments, generating."""

    session: Any
    """An open Mimic task."""
    planners: Mapping[str, Planner]
    """One per end effector."""
    cfg: AugmentCfg
    """Options."""
    constraints: Constraints = field(init=False)
    """What the subtasks of different end effectors owe each other."""
    attempts: list[Attempt | None] = field(init=False)
    """The attempt in each environment; None in those that rest."""
    active: Tensor = field(init=False)
    """Which environments have one. Shape (N,)."""
    simulated: Tensor = field(init=False)
    """Control steps simulated for each, discarded tries included. Shape (N,)."""
    batches: dict[str, PlanBatch] = field(init=False)
    """What each end effector plays."""
    signal_names: list[str] = field(init=False)
    """Subtask signals, in the order in which the batches watch them."""
    _spaces: Mapping[str, Any] = field(init=False)
    obs: dict[str, Tensor] = field(init=False)
    """Newest observations. Shapes (N, ...)."""

    def __post_init__(self) -> None:
        n = self.session.num_envs
        self.attempts = [None] * n
        self.active = torch.zeros(n, dtype=torch.bool)
        self.simulated = torch.zeros(n, dtype=torch.long)
        self.signal_names = list(self.session.subtask_signals())
        self.constraints = read_constraints(self.session.env.cfg)
        # a plan may be slowed down for that of another end effector
        shared = sum(planner.max_steps for planner in self.planners.values()) if self.constraints.together else 0
        self.batches = {
            eef: PlanBatch(
                n, max(shared, planner.max_steps), planner.demos[0].gripper[eef].shape[-1], self.signal_names
            )
            for eef, planner in self.planners.items()
        }
        self.obs = self.session.observe()
        self._spaces = self.session.collision_scenes()

    def attempt(self, env_id: int) -> Attempt:
        """The attempt in an active environment."""
        attempt = self.attempts[env_id]
        assert attempt is not None
        return attempt

    def scene(self, env_id: int) -> Scene:
        """Where things are in an environment."""
        objects = {
            key.removeprefix(_OBJECT): value[env_id].to(torch.float64)
            for key, value in self.obs.items()
            if key.startswith(_OBJECT)
        }
        if self.cfg.use_symmetry:
            objects |= {name: set_upright(objects[name]) for name in self.session.task_info.cubes}
        return Scene(
            eef={eef: self.obs[f"datagen_info/eef_pose/{eef}"][env_id].to(torch.float64) for eef in self.planners},
            objects=objects,
            space=self._looker(env_id),
        )

    def ended(self, env_id: int, key: Key) -> bool:
        """Whether an end effector has played a subtask to its end."""
        eef, index = key
        arm = self.attempt(env_id).arms[eef]
        if arm.subtask != index:
            return arm.subtask > index
        last = index == len(self.planners[eef].subtasks) - 1
        return last and arm.plan is not None and bool(self.batches[eef].over[env_id])

    def rest(self, env_id: int, eef: str) -> None:
        """Let an end effector stay where it was last sent, until it is given a plan."""
        attempt, batch = self.attempt(env_id), self.batches[eef]
        before = attempt.played.get((eef, attempt.arms[eef].subtask - 1))
        if before is not None:
            batch.rest(env_id, before.last_target.to(torch.float32), before.gripper[-1])
        else:
            here = self.obs[f"datagen_info/eef_pose/{eef}"][env_id]
            batch.rest(env_id, here.to(torch.float32), self.planners[eef].demos[0].gripper[eef][0])

    def _looker(self, env_id: int) -> Callable[[str, str | None], Space] | None:
        if not self._spaces:
            return None

        def space(eef: str, held: str | None) -> Space:
            pose = self.obs[f"datagen_info/eef_pose/{eef}"][env_id].double().cpu().numpy()
            return self._spaces[eef].moment(env_id, pose, held)

        return space

    def load(self, env_id: int, eef: str) -> None:
        """Let an end effector play its plan, from its cursor."""
        arm, subtasks = self.attempt(env_id).arms[eef], self.planners[eef].subtasks
        last = arm.subtask == len(subtasks) - 1
        signal = None if last else subtasks[arm.subtask].subtask_term_signal
        self.batches[eef].load(env_id, arm, signal, last)
