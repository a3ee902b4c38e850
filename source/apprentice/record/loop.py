"""Drives episodes with operators' frames, several side by side, each through the states of `machine`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import torch

from apprentice.record.cfg import RecordCfg
from apprentice.record.ends import Ended, Pipeline, Watcher
from apprentice.record.machine import Signal, State, after
from apprentice.record.operators import Operators
from apprentice.record.pace import Pace
from apprentice.record.slot import Moment, Slot
from apprentice.tasks.eef_maps import drive_base
from apprentice.tasks.episode import INFO, EpisodeBuffer, rows_after_step, rows_before_step
from apprentice.tasks.finger_actions import actions_with_fingers, grips_of
from apprentice.tasks.session import Session
from apprentice.teleop.finger_commands import FingerCommands
from apprentice.teleop.frame import REWIND, Command, TeleopFrame
from apprentice.teleop.retarget import Retarget, RetargetCfg
from apprentice.teleop.sources.base import LiveSource, SteppedSource, View

MAX_FRAME_AGE_S = 0.2
"""A device that said nothing for longer is lost: the robot stops and the episode is paused."""

_MOMENT_STEPS = 2
"""Control steps between two moments that can be returned to."""
_MOMENTS_PER_TICK = 2
"""Moments that rewinding goes back at each control step: four times as fast as they came."""

_SIGNAL_ROWS = f"{INFO}/subtask_term_signals"

_SIGNALS = {
    Command.START: Signal.START,
    Command.PAUSE: Signal.PAUSE,
    Command.SAVE: Signal.SAVE,
    Command.DISCARD: Signal.DISCARD,
}


class EpisodeLoop:
    """Steps a session while operators drive."""

    def __init__(
        self,
        session: Session,
        operators: Operators,
        cfg: RecordCfg,
        *,
        retarget: RetargetCfg | None = None,
        pipeline: Pipeline | None = None,
        pace: Pace | None = None,
        countdown_s: float = 0.0,
        rewinds: bool = False,
        watcher: Watcher | None = None,
        clock: Callable[[Slot], float] | None = None,
    ) -> None:
        """Args:
        session: The task; every environment gets an operator.
        operators: Gives each episode its source.
        cfg: When episodes end.
        retarget: How hands move end effectors.
        pipeline: What moves them instead.
        pace: Keeps the loop at the speed of the wall clock, for people; None goes as fast as it can.
        countdown_s: Time between the operator's start and the first recorded step.
        rewinds: Whether operators can go back in time, which costs a snapshot every other step.
        watcher: Who is told of everything.
        clock: Time (s) on which an operator's frames are stamped; by default the clock on the wall if there is a pace,
            and simulated time if not.
        """
        self._session, self._operators, self._cfg = session, operators, cfg
        self._pace, self._rewinds, self._watcher, self._pipeline = pace, rewinds, watcher, pipeline
        self._countdown = round(countdown_s * session.control_hz)
        # a scripted operator has the time that the task allows; people have more
        scripted = cfg.scripted and cfg.max_steps is None
        self._longest = max(cfg.longest, session.env.max_episode_length) if scripted else cfg.longest
        self._dt = 1.0 / session.control_hz
        self._clock = clock or self._time
        self._retarget = Retarget(retarget or RetargetCfg(), num_envs=session.num_envs, control_hz=session.control_hz)
        self._hands = session.fingers()
        self._fingers = FingerCommands(self._hands, session.num_envs)
        if any(word.endswith("xr") for word in cfg.device):
            self._fingers.load()
        self._buffer = EpisodeBuffer(session.num_envs)
        self._subtasks = [signal for parts in session.task_info.subtasks.values() for _, signal in parts if signal]
        self.slots: dict[int, Slot] = {}
        """The episode in each environment that has one."""
        self.stopping = False
        """Whether an operator asked to stop."""

    @property
    def states(self) -> dict[int, State]:
        """State of the episode in each environment that has one."""
        return {env_id: slot.state for env_id, slot in self.slots.items()}

    def steps(self, env_id: int) -> int:
        """Control steps recorded of the episode in an environment."""
        return int(self._buffer.lengths[env_id])

    def countdown_s(self, env_id: int) -> float:
        """Time until an episode that was started is recorded."""
        return max(0, self._countdown - self.slots[env_id].counted) * self._dt

    def run(self, next_seed: Callable[[], int | None]) -> Iterator[Ended]:
        """Run episodes until there are no more seeds, or an operator stops.

        Args:
            next_seed: Seed of another episode, or None if none is wanted now. Asked whenever an environment is free.

        Yields:
            Episodes as they end, saved or discarded.
        """
        self._begin(range(self._session.num_envs), next_seed)
        try:
            while self.slots and not self.stopping:
                self._poll()
                recording = self._in(State.RECORDING)
                if recording.any():
                    self._step(recording)
                if self._watcher:
                    self._watcher.on_tick(self)
                if self._pace:
                    self._pace.wait()
                over = [i for i, slot in self.slots.items() if slot.state in (State.SAVED, State.DISCARDED)]
                for env_id in over:
                    yield self._end(env_id)
                if over:
                    self._begin(over, next_seed)
        finally:
            for slot in self.slots.values():
                slot.source.stop()

    def _time(self, slot: Slot) -> float:
        return slot.ticks * self._dt if self._pace is None else time.monotonic()

    def _in(self, state: State) -> torch.Tensor:
        """Which environments are in a state. Shape (N,), bool."""
        slots = [self.slots.get(env_id) for env_id in range(self._session.num_envs)]
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
        session = self._session
        self._reset(seeds)
        self._retarget.reset(list(seeds), session.eef_poses())
        self._fingers.reset(list(seeds))
        if self._pipeline:
            self._pipeline.reset()
        self._buffer.begin(list(seeds), session.state())
        if self._pace:
            self._pace.restart()
        for env_id, seed in seeds.items():
            source = self._operators(seed)
            self.slots[env_id] = Slot(source=source, seed=seed, grips=dict.fromkeys(session.task_info.eef_names, 0.0))
            source.start()

    def _reset(self, seeds: Mapping[int, int]) -> None:
        session = self._session
        session.reset(list(seeds), list(seeds.values()))
        if self._pace is None:
            return
        # beside people run other threads; should one draw from Python's random numbers too, the seed would be a lie
        while True:
            before = {key: value.clone() for key, value in session.state().items()}
            session.reset(list(seeds), list(seeds.values()))
            if all(torch.equal(before[key], value) for key, value in session.state().items()):
                return

    def _poll(self) -> None:
        """Let every operator look and act, and every episode change its state."""
        views = self._views()
        for env_id, slot in self.slots.items():
            now = self._clock(slot)
            slot.ticks += 1
            if isinstance(slot.source, SteppedSource):
                slot.source.advance(now, views[env_id])
            frame = slot.source.latest()
            lost = _lost(slot, frame, now)
            slot.frame = None if lost else frame
            if self._watcher:
                self._watcher.on_frame(slot, frame, now, lost)
            before = slot.state
            self._obey(env_id, slot, frame.events if frame else (), lost)
            if slot.state is State.REWINDING:
                self._rewind(env_id, slot)
            if slot.state is State.RECORDING and before is not State.RECORDING:
                self._take_up(env_id, slot)

    def _obey(self, env_id: int, slot: Slot, commands: Iterable[Command], lost: str) -> None:
        for command in commands:
            self.stopping |= command is Command.STOP
            if command is Command.TOGGLE:
                command = Command.PAUSE if slot.state in (State.RECORDING, State.COUNTDOWN) else Command.START
            if command in _SIGNALS:
                slot.state = after(slot.state, _SIGNALS[command])
                slot.why = ""
            elif command is Command.MARK and slot.state in (State.RECORDING, State.PAUSED):
                slot.mark(self._subtasks, self.steps(env_id))
            elif command is Command.UNDO and self._watcher:
                self._watcher.on_undo()
        if lost:
            if slot.state in (State.RECORDING, State.COUNTDOWN, State.REWINDING):
                slot.why = lost
            slot.state = after(slot.state, Signal.LOST)
        elif slot.past:
            back = slot.frame is not None and REWIND in slot.frame.buttons
            slot.state = after(slot.state, Signal.REWIND if back else Signal.REWOUND)
        if slot.state is State.COUNTDOWN:
            slot.counted += 1
            if slot.counted > self._countdown:
                slot.state = after(slot.state, Signal.COUNTED)
        else:
            slot.counted = 0

    def _take_up(self, env_id: int, slot: Slot) -> None:
        """Let hands begin where the robot is now."""
        grips = {name: torch.full((self._session.num_envs, 1), grip) for name, grip in slot.grips.items()}
        self._retarget.reset([env_id], self._session.eef_poses(), grips)
        self._fingers.reset([env_id], self._told(env_id))
        if self._pipeline:
            self._pipeline.reset(slot.grips)
        if isinstance(slot.source, LiveSource):
            slot.source.sync(slot.grips)
            slot.frame = None  # it says what was held before that

    def _told(self, env_id: int) -> dict[str, torch.Tensor]:
        """What fingers were told last (rad); to be open, where an episode has no step yet. Shapes (N, J)."""
        if self.steps(env_id) == 0:
            return {eef: hand.open.expand(self._session.num_envs, -1) for eef, hand in self._hands.items()}
        action = self._session.env.action_manager.action
        return {eef: hand.of(action).cpu() for eef, hand in self._hands.items()}

    def _rewind(self, env_id: int, slot: Slot) -> None:
        moment = slot.go_back(_MOMENTS_PER_TICK)
        if moment is not None:
            self._session.restore(moment.snapshot, [env_id])
            self._buffer.cut(env_id, moment.step)

    def _views(self) -> dict[int, View]:
        eefs, objects = _numpy(self._session.eef_poses()), _numpy(self._session.object_poses())
        return {
            i: View(
                eef_poses={name: pose[i] for name, pose in eefs.items()},
                object_poses={name: pose[i] for name, pose in objects.items()},
            )
            for i in self.slots
        }

    def _step(self, recording: torch.Tensor) -> None:
        """Move the environments that record, and write down what happened."""
        session = self._session
        ids: list[int] = recording.nonzero().flatten().tolist()
        for env_id in ids:
            if self._rewinds and self.steps(env_id) % _MOMENT_STEPS == 0:
                self._remember(env_id)
        frames = [self.slots[i].frame if recording[i] else None for i in range(session.num_envs)]
        actions, grippers = self._actions(frames)
        rows = rows_before_step(session, actions)
        session.step(actions, recording)
        after_step = rows_after_step(session)
        self._buffer.add(rows | after_step, recording)
        sound = _finite(after_step)
        success = session.success()
        signals = {name: rows[path] for name in self._subtasks if (path := f"{_SIGNAL_ROWS}/{name}") in rows}
        for env_id in ids:
            slot, step = self.slots[env_id], self.steps(env_id)
            for name in signals.keys() - slot.done.keys():
                if signals[name][env_id]:
                    slot.done[name] = step - 1
            slot.grips = {name: 0.5 - 0.5 * float(command[env_id, 0]) for name, command in grippers.items()}
            slot.held = slot.held + 1 if success[env_id] else 0
            if not sound[env_id]:
                slot.state = after(slot.state, Signal.DIVERGED)
            elif slot.held >= self._cfg.held_steps:
                slot.state = after(slot.state, Signal.HELD)
            elif step >= self._longest:
                slot.state = after(slot.state, Signal.TIMEOUT)

    def _actions(self, frames: list[TeleopFrame | None]) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        """What the operators want, shape (N, A), and of that the grippers, 1 open to -1 closed, shapes (N, 1)."""
        env = self._session.env
        if self._pipeline:
            actions = self._pipeline.actions(frames)
            if actions is not None:
                return actions, grips_of(env, self._hands, actions)
            frames = [None] * len(frames)
        targets, grips = self._retarget.targets(frames, self._session.eef_poses(), self._session.base_pose())
        postures = self._fingers.postures(frames, grips)
        actions = actions_with_fingers(env, self._hands, targets, grips, postures)
        grips |= {eef: hand.grip(postures[eef]) for eef, hand in self._hands.items()}
        return drive_base(env, actions, _base_velocities(frames)), grips

    def _remember(self, env_id: int) -> None:
        slot, step = self.slots[env_id], self.steps(env_id)
        if slot.past and slot.past[-1].step == step:
            return  # just came back to it
        snapshot = self._session.snapshot([env_id])
        slot.past.append(Moment(step=step, snapshot=snapshot, grips=dict(slot.grips), held=slot.held))

    def _end(self, env_id: int) -> Ended:
        slot = self.slots.pop(env_id)
        slot.source.stop()
        tree = self._buffer.read(env_id)
        for signal, step in slot.marks.items():
            tree[f"{_SIGNAL_ROWS}/{signal}"] = np.arange(len(tree["actions"])) >= step
        pace = {"achieved_hz": self._pace.achieved_hz, "jitter_p99_s": self._pace.jitter_s} if self._pace else {}
        return Ended(
            seed=slot.seed,
            saved=slot.state is State.SAVED,
            success=slot.held >= self._cfg.held_steps,
            tree=tree,
            pace=pace,
        )


def _lost(slot: Slot, frame: TeleopFrame | None, now: float) -> str:
    """Why a frame must not move the robot; empty if it may."""
    age = np.inf if frame is None else now - frame.time_s
    if frame is None or not age <= MAX_FRAME_AGE_S:
        missing = (
            [status for status in slot.source.devices() if not status.connected]
            if isinstance(slot.source, LiveSource)
            else []
        )
        named = "; ".join(f"{status.name}: {status.detail or 'not connected'}" for status in missing)
        return named or ("no device can be heard" if frame is None else f"nothing was heard for {age:.1f} s")
    return slot.guard.problem(frame) or ""


def _finite(rows: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """In which environments all rows are numbers. Shape (N,), bool."""
    return torch.stack([values.isfinite().flatten(1).all(1) for values in rows.values()]).all(0).cpu()


def _base_velocities(frames: Iterable[TeleopFrame | None]) -> torch.Tensor:
    """What operators say about the base, NaN where they don't. Shape (N, 3)."""
    said = [np.full(3, np.nan) if frame is None or frame.base is None else frame.base for frame in frames]
    return torch.as_tensor(np.stack(said), dtype=torch.float32)


def _numpy(poses: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: pose.double().numpy(force=True) for name, pose in poses.items()}
