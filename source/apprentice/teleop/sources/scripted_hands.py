"""Several scripted hands of one person: each has a way of its own through the task, and waits for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from apprentice.tasks.oracle import Oracle
from apprentice.teleop.frame import Command, CommandFrame, Hand, TeleopFrame
from apprentice.teleop.sources.base import Mailbox, View
from apprentice.teleop.sources.scripted import ScriptedCfg, ScriptedOperator


class ScriptedHands:
    """One operator with a hand for each end effector, for one episode. A `SteppedSource`."""

    def __init__(
        self,
        oracles: Sequence[Oracle],
        *,
        control_hz: float,
        seed: int,
        symmetry: Mapping[str, int] | None = None,
        cfg: ScriptedCfg | None = None,
    ) -> None:
        """Be a person with a pace of their own, the same for all hands.

        Args:
            oracles: The way through the task, one per end effector.
            control_hz: How often `advance` will be called, per second of simulated time.
            seed: Decides about pace, noise and mistakes.
            symmetry: Order of each object's rotational symmetry about its vertical axis; 1 where missing.
            cfg: How people move.
        """
        self._mailbox = Mailbox()
        self._first = True
        self._hands: dict[str, ScriptedOperator] = {}
        for index, oracle in enumerate(oracles):
            own = int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
            hand = ScriptedOperator(oracle, control_hz=control_hz, seed=own, symmetry=symmetry, cfg=cfg)
            for known in list(self._hands.values())[:1]:
                hand.keep_pace_with(known)
            self._hands[oracle.eef] = hand

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return all(hand.done for hand in self._hands.values())

    def start(self) -> None:
        self._mailbox = Mailbox()

    def latest(self) -> TeleopFrame | None:
        return self._mailbox.take()

    def stop(self) -> None:
        pass  # there is no device to give back

    def advance(self, time_s: float, view: View) -> None:
        """Look, and move the hands a little. The first call asks to start recording."""
        hands = {eef: self._moved(operator, eef, time_s, view) for eef, operator in self._hands.items()}
        events = (Command.START,) if self._first else ()
        self._first = False
        self._mailbox.put(TeleopFrame(time_s=time_s, hands=hands, events=events, command_frame=CommandFrame.WORLD))

    def _moved(self, operator: ScriptedOperator, eef: str, time_s: float, view: View) -> Hand:
        ahead = operator.waypoint
        if ahead is None or (ahead.after is not None and not operator.begun and not self._is_said(ahead.after)):
            return Hand(twist=np.zeros(6), grip=float(operator.closed))
        operator.advance(time_s, view)
        frame = operator.latest()
        assert frame is not None
        return frame.hands[eef]

    def _is_said(self, words: str) -> bool:
        return any(words in operator.said for operator in self._hands.values())
