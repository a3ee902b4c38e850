"""One environment's episode while it is recorded: where it is, and the past that an operator can go back to."""

from __future__ import annotations

from dataclasses import dataclass, field

from apprentice.record.machine import State
from apprentice.sim.snapshot import Snapshot
from apprentice.teleop.frame import TeleopFrame
from apprentice.teleop.guard import FrameGuard
from apprentice.teleop.sources.base import Source

Grips = dict[str, float]
"""How far each gripper is told to close, by end effector: 0 open, 1 closed."""


@dataclass(kw_only=True, frozen=True)
class Moment:
    """A moment of an episode that can be returned to."""

    step: int
    """Control steps recorded before it."""
    snapshot: Snapshot
    """The environment."""
    grips: Grips
    """The grippers."""
    held: int
    """For how many steps success had held."""


@dataclass(kw_only=True)
class Slot:
    """An environment with an operator. Changed by the loop only."""

    source: Source
    """Who drives."""
    seed: int
    """Of the episode."""
    state: State = State.READY
    ticks: int = 0
    """How often the operator was asked."""
    counted: int = 0
    """Ticks of the countdown so far."""
    held: int = 0
    """Steps in a row for which success has held."""
    frame: TeleopFrame | None = None
    """What the operator does now; None while they cannot be heard."""
    why: str = ""
    """Why the episode is paused, in words; empty if the operator wanted it so."""
    grips: Grips = field(default_factory=dict[str, float])
    """The grippers as they were told last."""
    marks: dict[str, int] = field(default_factory=dict[str, int])
    """Steps at which the operator called subtasks complete, by signal."""
    done: dict[str, int] = field(default_factory=dict[str, int])
    """First steps at which the task's own terms found subtasks complete, by signal."""
    past: list[Moment] = field(default_factory=list[Moment])
    """Moments to go back to, oldest first; empty where nobody can."""
    guard: FrameGuard = field(default_factory=FrameGuard)
    """Looks at what the device says, from frame to frame."""

    def mark(self, signals: list[str], step: int) -> None:
        """Call the subtask that is next in order complete."""
        following = next((signal for signal in signals if signal not in self.marks), None)
        if following is not None:
            self.marks[following] = step

    def go_back(self, moments: int) -> Moment | None:
        """Forget the last few moments but for the oldest, and say which one is now the last; None without a past."""
        if not self.past:
            return None
        if len(self.past) > 1:
            del self.past[max(1, len(self.past) - moments) :]
        moment = self.past[-1]
        self.held, self.grips = moment.held, dict(moment.grips)
        self.marks = {signal: step for signal, step in self.marks.items() if step <= moment.step}
        self.done = {signal: step for signal, step in self.done.items() if step < moment.step}
        return moment
