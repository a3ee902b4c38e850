"""The states of an episode while it is recorded, and what leads from one to the next."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an episode is."""

    READY = "ready"
    """Reset, waiting for the operator."""
    COUNTDOWN = "countdown"
    """About to begin."""
    RECORDING = "recording"
    """The robot moves, and every step is kept."""
    PAUSED = "paused"
    """The simulation stands still."""
    REWINDING = "rewinding"
    """The simulation goes back; what is undone leaves the demo."""
    SAVED = "saved"
    """On disk."""
    DISCARDED = "discarded"
    """Not to be imitated."""


class Signal(StrEnum):
    """What can happen to an episode. The operator's commands have the same names here."""

    START = "start"
    PAUSE = "pause"
    REWIND = "rewind"
    SAVE = "save"
    DISCARD = "discard"
    COUNTED = "counted"
    """The countdown has ended."""
    LOST = "lost"
    """The operator's device gave no usable frame for too long."""
    REWOUND = "rewound"
    """The operator has seen enough of the past."""
    HELD = "held"
    """Success has held long enough."""
    TIMEOUT = "timeout"
    """The episode took too long."""
    DIVERGED = "diverged"
    """The simulation came to numbers that are none."""
    NEXT = "next"
    """The environment was reset for another episode."""


TRANSITIONS: dict[State, dict[Signal, State]] = {
    State.READY: {Signal.START: State.COUNTDOWN},
    State.COUNTDOWN: {
        Signal.COUNTED: State.RECORDING,
        Signal.PAUSE: State.READY,
        Signal.DISCARD: State.READY,
        Signal.LOST: State.READY,
    },
    State.RECORDING: {
        Signal.PAUSE: State.PAUSED,
        Signal.LOST: State.PAUSED,
        Signal.REWIND: State.REWINDING,
        Signal.SAVE: State.SAVED,
        Signal.HELD: State.SAVED,
        Signal.DISCARD: State.DISCARDED,
        Signal.TIMEOUT: State.DISCARDED,
        Signal.DIVERGED: State.DISCARDED,
    },
    State.PAUSED: {
        Signal.START: State.RECORDING,
        Signal.REWIND: State.REWINDING,
        Signal.SAVE: State.SAVED,
        Signal.DISCARD: State.DISCARDED,
    },
    State.REWINDING: {Signal.REWOUND: State.PAUSED, Signal.LOST: State.PAUSED, Signal.DISCARD: State.DISCARDED},
    State.SAVED: {Signal.NEXT: State.READY},
    State.DISCARDED: {Signal.NEXT: State.READY},
}
"""What leads where. A signal that is not listed for a state changes nothing."""


def after(state: State, signal: Signal) -> State:
    """The state that follows when `signal` comes in `state`."""
    return TRANSITIONS[state].get(signal, state)
