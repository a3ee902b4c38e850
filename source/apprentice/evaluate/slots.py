"""What the rollout in each environment has come to: steps, subtasks, success held."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from apprentice import poses
from apprentice.demos.start_states import StartStates
from apprentice.evaluate.cfg import EvaluateCfg
from apprentice.evaluate.contracts import Intervention, Observations, Simulation, TaskInfo
from apprentice.evaluate.journal import DIVERGED, FINAL, Rollout


def subtask_names(task_info: TaskInfo) -> list[str]:
    """Signals of the task's subtasks, in order, each once."""
    signals = [signal for subtasks in task_info.subtasks.values() for _, signal in subtasks if signal]
    return list(dict.fromkeys(signals))


class Slots:
    """One rollout for each environment."""

    def __init__(
        self,
        session: Simulation,
        cfg: EvaluateCfg,
        starts: StartStates | None,
        interventions: Sequence[Intervention],
    ) -> None:
        self.cfg, self.starts, self.interventions = cfg, starts, interventions
        self._info: TaskInfo = session.task_info
        self._signals = subtask_names(self._info)
        count = session.num_envs
        self.active = torch.zeros(count, dtype=torch.bool)
        self.steps = torch.zeros(count, dtype=torch.long)
        self._held = torch.zeros_like(self.steps)
        self._any_success = torch.zeros_like(self.active)
        self._diverged = torch.zeros_like(self.active)
        self.reached = torch.zeros(count, len(self._signals), dtype=torch.bool)
        """Subtask signals that have been true so far. Shape (N, S)."""
        self._path = torch.zeros(count)
        self._eef: torch.Tensor | None = None
        self._index = [-1] * count
        self._initial_poses: list[dict[str, list[float]]] = [{}] * count
        self._started = [0.0] * count

    def seed(self, index: int) -> int:
        """Seed of a rollout's initial state, or of the episode that its start state is of."""
        return self.cfg.seed + index if self.starts is None else int(self.starts.seeds[index])

    def begin(self, env_ids: torch.Tensor, indices: Sequence[int], obs: Observations) -> None:
        self.active[env_ids] = True
        for tensor in (self.steps, self._held, self._any_success, self._diverged, self.reached, self._path):
            tensor[env_ids] = 0
        self._eef = self._eef_positions(obs)
        for env_id, index in zip(env_ids.tolist(), indices, strict=True):
            self._index[env_id], self._started[env_id] = index, time.perf_counter()
            self._initial_poses[env_id] = _object_poses(self._info.objects, obs, env_id)

    def advance(self, session: Simulation, obs: Observations, acting: torch.Tensor) -> torch.Tensor:
        """Take in one control step of those acting; tells whose rollout has ended. Shape (N,)."""
        success = session.success().cpu() & acting
        self.steps += acting
        self._held = torch.where(success, self._held + 1, 0)
        self._any_success |= success
        self._diverged |= self.active & ~acting
        signals = session.subtask_signals()
        for column, name in enumerate(self._signals):
            self.reached[:, column] |= signals[name].cpu() & acting
        eef = self._eef_positions(obs)
        if eef is not None and self._eef is not None:
            self._path += (eef - self._eef).norm(dim=-1).sum(dim=-1) * acting
        self._eef = eef
        ended = (self._held >= self.cfg.held_steps) | (self.steps >= self.cfg.horizon) | self._diverged
        return ended & self.active

    def report(self, env_id: int, *, run: int, run_seconds: float) -> Rollout:
        success = bool(self._held[env_id] >= self.cfg.held_steps) and not bool(self._diverged[env_id])
        index = self._index[env_id]
        outcomes = [intervention.outcome(env_id) for intervention in self.interventions]
        return Rollout(
            index=index,
            seed=self.seed(index),
            success=success,
            success_any_step=bool(self._any_success[env_id]),
            steps=int(self.steps[env_id]),
            failed_subtask=None if success else self._failed_subtask(env_id),
            initial_poses=self._initial_poses[env_id],
            path_length_m=float(self._path[env_id]) if self._eef is not None else None,
            wall_seconds=time.perf_counter() - self._started[env_id],
            run=run,
            run_seconds=run_seconds,
            kind=None if self.starts is None else self.starts.kinds[index],
            not_counted=next((outcome.not_counted for outcome in outcomes if outcome.not_counted), None),
            mishap=next((outcome.kind for outcome in outcomes if outcome.kind), None),
            aftermath=next((outcome.state for outcome in outcomes if outcome.state), None),
        )

    def _failed_subtask(self, env_id: int) -> str:
        if self._diverged[env_id]:
            return DIVERGED
        reached = self.reached[env_id].tolist()
        return next((name for name, done in zip(self._signals, reached, strict=True) if not done), FINAL)

    def _eef_positions(self, obs: Observations) -> torch.Tensor | None:
        """Positions of the end effectors, None where the task does not tell them. Shape (N, E, 3)."""
        names = [f"datagen_info/eef_pose/{name}" for name in self._info.eef_names]
        if not names or any(name not in obs for name in names):
            return None
        return torch.stack([poses.position(obs[name]) for name in names], dim=1).cpu()


def _object_poses(objects: Sequence[str], obs: Observations, env_id: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for name in objects:
        pose = obs.get(f"datagen_info/object_pose/{name}")
        if pose is not None:
            one = pose[env_id].double()
            quaternion = poses.quat_from_rotation(poses.rotation(one))
            found[name] = torch.cat((poses.position(one), quaternion)).tolist()
    return found
