"""Drives episodes with operators' frames, several side by side, each through the states of `machine`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from apprentice.demos import Tree
from apprentice.record.cfg import RecordCfg
from apprentice.record.machine import Signal, State, after
from apprentice.record.operators import Operators
from apprentice.record.pace import Pace
from apprentice.tasks.eef_maps import target_to_action
from apprentice.tasks.episode import EpisodeBuffer, rows_after_step, rows_before_step
from apprentice.tasks.session import Session
from apprentice.teleop.frame import Command, TeleopFrame, problem
from apprentice.teleop.retarget import Retarget, RetargetCfg
from apprentice.teleop.sources.base import Source, SteppedSource, View

MAX_FRAME_AGE_S = 0.2
"""A device that said nothing for longer is lost: the robot stops and the episode is paused."""

_SIGNALS = {
    Command.START: Signal.START,
    Command.PAUSE: Signal.PAUSE,
    Command.SAVE: Signal.SAVE,
    Command.DISCARD: Signal.DISCARD,
}


@dataclass(kw_only=True, frozen=True)
class Ended:
    """An episode that is over."""

    seed: int
    """Its seed."""
    saved: bool
    """Whether it is to be imitated."""
    success: bool
    """Whether success held to its end."""
    tree: Tree
    """What was recorded, by path, "actions" among it; empty if nothing was."""
    achieved_hz: float | None
    """Control steps per second of wall time, None where nobody drove in real time."""


@dataclass
class _Slot:
    """One environment's episode."""

    source: Source
    seed: int
    state: State = State.READY
    ticks: int = 0
    counted: int = 0
    held: int = 0
    frame: TeleopFrame | None = None


class EpisodeLoop:
    """Steps a session while operators drive."""

    def __init__(
        self,
        session: Session,
        operators: Operators,
        cfg: RecordCfg,
        *,
        retarget: RetargetCfg | None = None,
        pace: Pace | None = None,
        countdown_s: float = 0.0,
    ) -> None:
        """Args:
        session: The task; every environment gets an operator.
        operators: Gives each episode its source.
        cfg: When episodes end.
        retarget: How hands move end effectors.
        pace: Keeps the loop at the speed of the wall clock, for people; None goes as fast as it can.
        countdown_s: Time between the operator's start and the first recorded step.
        """
        self._session, self._operators, self._cfg = session, operators, cfg
        self._pace = pace
        self._countdown = round(countdown_s * session.control_hz)
        self._dt = 1.0 / session.control_hz
        self._retarget = Retarget(retarget or RetargetCfg(), num_envs=session.num_envs, control_hz=session.control_hz)
        self._buffer = EpisodeBuffer(session.num_envs)
        self._slots: dict[int, _Slot] = {}
        self.stopping = False
        """Whether an operator asked to stop."""

    @property
    def states(self) -> dict[int, State]:
        """State of the episode in each environment that has one."""
        return {env_id: slot.state for env_id, slot in self._slots.items()}

    def run(self, next_seed: Callable[[], int | None]) -> Iterator[Ended]:
        """Run episodes until there are no more seeds, or an operator stops.

        Args:
            next_seed: Seed of another episode, or None if none is wanted now. Asked whenever an environment is free.

        Yields:
            Episodes as they end, saved or discarded.
        """
        self._begin(range(self._session.num_envs), next_seed)
        try:
            while self._slots and not self.stopping:
                self._poll()
                recording = self._in(State.RECORDING)
                if recording.any():
                    self._step(recording)
                if self._pace:
                    self._pace.wait()
                over = [i for i, slot in self._slots.items() if slot.state in (State.SAVED, State.DISCARDED)]
                for env_id in over:
                    yield self._end(env_id)
                if over:
                    self._begin(over, next_seed)
        finally:
            for slot in self._slots.values():
                slot.source.stop()

    def _in(self, state: State) -> torch.Tensor:
        """Which environments are in a state. Shape (N,), bool."""
        slots = [self._slots.get(env_id) for env_id in range(self._session.num_envs)]
        return torch.tensor([slot is not None and slot.state is state for slot in slots])

    def _begin(self, free: Iterable[int], next_seed: Callable[[], int | None]) -> None:
        seeds: dict[int, int] = {}
        for env_id in free:
            seed = next_seed()
            if seed is None:
                break
            seeds[env_id] = seed
        if not seeds:
            return
        self._session.reset(list(seeds), list(seeds.values()))
        self._retarget.reset(list(seeds), self._session.eef_poses())
        self._buffer.begin(list(seeds), self._session.state())
        for env_id, seed in seeds.items():
            self._slots[env_id] = slot = _Slot(source=self._operators(seed), seed=seed)
            slot.source.start()

    def _poll(self) -> None:
        """Let every operator look and act, and every episode change its state."""
        views = self._views()
        for env_id, slot in self._slots.items():
            now = slot.ticks * self._dt if self._pace is None else time.monotonic()
            slot.ticks += 1
            if isinstance(slot.source, SteppedSource):
                slot.source.advance(now, views[env_id])
            frame = slot.source.latest()
            lost = frame is None or problem(frame) is not None or now - frame.time_s > MAX_FRAME_AGE_S
            slot.frame = None if lost else frame
            for command in frame.events if frame else ():
                self.stopping |= command is Command.STOP
                if command in _SIGNALS:
                    slot.state = after(slot.state, _SIGNALS[command])
            if lost:
                slot.state = after(slot.state, Signal.LOST)
            if slot.state is State.COUNTDOWN:
                slot.counted += 1
                if slot.counted > self._countdown:
                    slot.state = after(slot.state, Signal.COUNTED)
            else:
                slot.counted = 0

    def _views(self) -> dict[int, View]:
        eefs, objects = _numpy(self._session.eef_poses()), _numpy(self._session.object_poses())
        return {
            i: View(
                eef_poses={name: pose[i] for name, pose in eefs.items()},
                object_poses={name: pose[i] for name, pose in objects.items()},
            )
            for i in self._slots
        }

    def _step(self, recording: torch.Tensor) -> None:
        """Move the environments that record, and write down what happened."""
        session = self._session
        frames = [
            slot.frame if (slot := self._slots.get(i)) and slot.state is State.RECORDING else None
            for i in range(session.num_envs)
        ]
        targets, grippers = self._retarget.targets(frames, session.eef_poses())
        actions = target_to_action(session.env, targets, grippers)
        rows = rows_before_step(session, actions)
        session.step(actions, recording)
        self._buffer.add(rows | rows_after_step(session), recording)
        success = session.success()
        for env_id in recording.nonzero().flatten().tolist():
            slot = self._slots[env_id]
            slot.held = slot.held + 1 if success[env_id] else 0
            if slot.held >= self._cfg.held_steps:
                slot.state = after(slot.state, Signal.HELD)
            elif int(self._buffer.lengths[env_id]) >= self._cfg.max_steps:
                slot.state = after(slot.state, Signal.TIMEOUT)

    def _end(self, env_id: int) -> Ended:
        slot = self._slots.pop(env_id)
        slot.source.stop()
        tree = self._buffer.read(env_id)
        return Ended(
            seed=slot.seed,
            saved=slot.state is State.SAVED,
            success=slot.held >= self._cfg.held_steps,
            tree=tree,
            achieved_hz=self._pace.achieved_hz if self._pace else None,
        )


def _numpy(poses: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: pose.double().numpy(force=True) for name, pose in poses.items()}
