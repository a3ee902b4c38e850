"""Plays a policy in many environments at once and counts held successes.

Rollout i starts from the initial state of seed + i, or from start state i where such are given, whichever environment
plays it and however many there are. An environment whose rollout ends begins the next one at once; the others do not
notice.
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from apprentice import poses
from apprentice.demos.start_states import StartStates, require_fitting
from apprentice.errors import UserError
from apprentice.evaluate import failures, results
from apprentice.evaluate.cfg import EvaluateCfg
from apprentice.evaluate.contracts import Intervention, Observations, Policy, Simulation, TaskInfo
from apprentice.evaluate.journal import DIVERGED, FINAL, Identity, Journal, Rollout
from apprentice.evaluate.recording import Recording
from apprentice.evaluate.results import Evaluation
from apprentice.evaluate.sequential import clear_after
from apprentice.progress import Progress, silent


def checkpoint_sha256(checkpoint: Path) -> str:
    """Hash of the file that holds a policy: `checkpoint` itself, or `policy.pth` in it.

    Raises:
        UserError: If there is no such file.
    """
    path = checkpoint / "policy.pth" if checkpoint.is_dir() else checkpoint
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(
            f"Expected a policy in {path}, but it cannot be read ({error.strerror}); train one first, or name the "
            "folder that `apprentice train` wrote."
        ) from error


def identify(
    cfg: EvaluateCfg,
    *,
    checkpoint: Path,
    task: str,
    variant: str | None,
    backend: str,
    starts: StartStates | None = None,
    condition: Mapping[str, Any] | None = None,
) -> Identity:
    """What names this evaluation; with it `results.read_finished` tells, before a simulator starts, if it is done."""
    return Identity(
        task=task,
        variant=variant,
        backend=backend,
        checkpoint_sha256=checkpoint_sha256(checkpoint),
        rollouts=cfg.rollouts,
        seed=cfg.seed,
        held_steps=cfg.held_steps,
        horizon=cfg.horizon,
        clear_of=cfg.clear_of,
        states_sha256=None if starts is None else starts.sha256,
        condition=dict(condition) if condition else None,
    )


def evaluate(
    policy: Policy,
    session: Simulation,
    cfg: EvaluateCfg,
    *,
    checkpoint: Path,
    output: Path,
    starts: StartStates | None = None,
    training: Mapping[str, Any] | None = None,
    interventions: Sequence[Intervention] = (),
    condition: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Play the policy and write what happened.

    A finished evaluation in `output` is returned, an interrupted one continued.

    Args:
        policy: Plays; loaded from `checkpoint`.
        session: Simulator; all its environments are used.
        cfg: How many rollouts, and what counts as success.
        checkpoint: File or folder of the policy, to tell evaluations apart.
        output: Folder for `evaluation.json`, `rollouts.parquet`, `failures.json`, the traces of failures, the states
            from which they began, and all states of a few rollouts.
        starts: States to start from, one for each rollout; None starts from the initial states of seeds.
        training: Which training made the policy, to tell evaluations of one recipe from those of several.
        interventions: What happens during rollouts.
        condition: What they, or wrappers of `policy` and changes of `session`, make different from the task: to tell
            evaluations apart.
        progress: Told of finished rollouts.

    Raises:
        UserError: If `output` holds another evaluation, is being written, or cannot be; there are too few start states,
            or they are of another task; or no rollout counts.
    """
    _check_starts(starts, session, cfg)
    identity = identify(
        cfg,
        checkpoint=checkpoint,
        task=session.task,
        variant=session.variant,
        backend=session.backend,
        starts=starts,
        condition=condition,
    )
    finished = results.read_finished(output, identity)
    if finished is not None:
        return finished
    with Journal(output, identity) as journal:
        played = {rollout.index for rollout in journal.rollouts}
        known = _clear(journal.rollouts, cfg)
        pending = [] if known else [index for index in range(cfg.rollouts) if index not in played]
        recording = Recording(output, session, horizon=cfg.horizon, videos=cfg.videos)
        slots = _Slots(session, cfg, starts, interventions)
        for rollout in _play(policy, session, slots, pending, recording, journal.run):
            journal.append(rollout)
            if _clear(journal.rollouts, cfg):
                break
            successes = sum(rollout.success for rollout in journal.rollouts)
            rate = 100 * successes / len(journal.rollouts)
            progress.update(len(journal.rollouts), cfg.rollouts, f"{successes} succeeded ({rate:.0f} %)")
        _require_some(journal.rollouts)
        evaluation = results.summarise(identity, journal.rollouts, subtask_names(session.task_info), training)
        rows = results.rows(evaluation, journal.rollouts)
        failures.analyse(output, evaluation, rows, session.task_info.symmetry)
        results.write(output, evaluation, journal.rollouts)
    return evaluation


def successes(policy: Policy, session: Simulation, cfg: EvaluateCfg, progress: Progress = silent) -> list[bool]:
    """Play the policy and keep nothing else: whether each rollout succeeded, in the order of their seeds."""
    found: dict[int, bool] = {}
    with tempfile.TemporaryDirectory() as scratch:
        recording = Recording(Path(scratch), session, horizon=cfg.horizon, videos=0)
        for rollout in _play(policy, session, _Slots(session, cfg, None, ()), range(cfg.rollouts), recording, 0):
            found[rollout.index] = rollout.success
            progress.update(len(found), cfg.rollouts, f"{sum(found.values())} succeeded")
    return [found[index] for index in range(cfg.rollouts)]


def _check_starts(starts: StartStates | None, session: Simulation, cfg: EvaluateCfg) -> None:
    if starts is None:
        return
    require_fitting(starts, session.task, list(session.state()))
    if len(starts) < cfg.rollouts:
        raise UserError(f"Expected {cfg.rollouts} start states, one for each rollout, found {len(starts)}.")


def _clear(rollouts: Sequence[Rollout], cfg: EvaluateCfg) -> bool:
    """Whether enough is known. Only rollouts before which none is missing count: short ones, successes, end first."""
    if cfg.clear_of is None:
        return False
    known = {rollout.index: rollout for rollout in rollouts}
    in_order = list(itertools.takewhile(lambda index: index in known, itertools.count()))
    outcomes = [known[index].success for index in in_order if known[index].not_counted is None]
    return clear_after(outcomes, cfg.clear_of) is not None


def _require_some(rollouts: Sequence[Rollout]) -> None:
    if all(rollout.not_counted for rollout in rollouts):
        reasons = sorted({rollout.not_counted for rollout in rollouts if rollout.not_counted})
        raise UserError(
            f"Expected at least one of {len(rollouts)} rollouts to count, found none: {'; '.join(reasons)}. Play more "
            "rollouts, or leave this condition out."
        )


def subtask_names(task_info: TaskInfo) -> list[str]:
    """Signals of the task's subtasks, in order, each once."""
    signals = [signal for subtasks in task_info.subtasks.values() for _, signal in subtasks if signal]
    return list(dict.fromkeys(signals))


def _play(
    policy: Policy,
    session: Simulation,
    slots: _Slots,
    pending: Sequence[int],
    recording: Recording,
    run: int,
) -> Iterator[Rollout]:
    """Play the pending rollouts, yielding each when it ends."""
    waiting, started = deque(pending), time.perf_counter()
    policy.start(session.num_envs)
    obs = _begin(policy, session, slots, recording, waiting, list(range(session.num_envs)))
    while slots.active.any():
        actions, acting = _act(policy, obs, slots.active)
        for intervention in slots.interventions:
            actions = intervention.before(actions, acting)
        obs = session.step(actions, acting.to(actions.device))
        for intervention in slots.interventions:
            intervention.after(obs, acting)
        ended = slots.advance(session, obs, acting)
        env_ids = acting.nonzero().flatten()
        recording.add(env_ids, slots.steps[env_ids], obs, slots.reached)
        free = ended.nonzero().flatten().tolist()
        for env_id in free:
            rollout = slots.report(env_id, run=run, run_seconds=time.perf_counter() - started)
            recording.finish(env_id, rollout)
            yield rollout
        if free:
            slots.active &= ~ended
            obs = _begin(policy, session, slots, recording, waiting, free) if waiting else obs


def _begin(
    policy: Policy,
    session: Simulation,
    slots: _Slots,
    recording: Recording,
    waiting: deque[int],
    free: Sequence[int],
) -> Observations:
    """Start waiting rollouts in free environments."""
    env_ids = list(free[: len(waiting)])
    if not env_ids:
        return {}
    indices = [waiting.popleft() for _ in env_ids]
    seeds = [slots.seed(index) for index in indices]
    obs = session.reset(env_ids, seeds)
    if slots.starts is not None:
        states = {key: torch.from_numpy(value[indices]) for key, value in slots.starts.states.items()}
        obs = session.set_state(states, env_ids)
    policy.reset(env_ids, seeds)
    for intervention in slots.interventions:
        intervention.begin(env_ids, seeds, obs)
    rows = torch.tensor(env_ids)
    slots.begin(rows, indices, obs)
    recording.begin(rows, obs, slots.reached)
    return obs


def _act(policy: Policy, obs: Observations, active: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Actions, and which of the active environments have one that is finite. Shapes (N, A), (N,)."""
    if active.all():
        actions = policy.act(obs)
    else:
        env_ids = active.nonzero().flatten()
        chosen = policy.act({name: value[env_ids] for name, value in obs.items()}, env_ids)
        actions = chosen.new_zeros(len(active), chosen.shape[1])
        actions[env_ids] = chosen
    finite = actions.isfinite().all(dim=1)
    return torch.where(finite[:, None], actions, 0.0), active & finite.cpu()


class _Slots:
    """What each environment's rollout has come to."""

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
