"""Who drives: makes a source of frames for each episode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from apprentice.tasks.oracle import find_oracles
from apprentice.tasks.session import Session
from apprentice.tasks.views import heading_rad
from apprentice.teleop.retarget import RetargetCfg
from apprentice.teleop.sources.base import LiveSource, Source
from apprentice.teleop.sources.scripted import ScriptedOperator
from apprentice.teleop.sources.scripted_hands import ScriptedHands

if TYPE_CHECKING:
    from apprentice.record.ends import Pipeline

Operators = Callable[[int], Source]
"""Gives the source that drives the episode with this seed."""


def scripted_operators(session: Session) -> Operators:
    """A new scripted operator per episode, each with ways of its own.

    Raises:
        UserError: If nobody wrote a way through the task.
    """
    oracle, *others = find_oracles(session.task_info)
    hz, symmetry = session.control_hz, session.task_info.symmetry

    def operator(seed: int) -> Source:
        if others:
            return ScriptedHands((oracle, *others), control_hz=hz, seed=seed, symmetry=symmetry)
        return ScriptedOperator(oracle, control_hz=hz, seed=seed, symmetry=symmetry)

    return operator


class _Lent:
    """A device that outlives the episodes it drives: beginning and ending one leaves it on."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        self.latest, self.devices, self.sync = source.latest, source.devices, source.sync

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


def lent(source: LiveSource) -> LiveSource:
    """The source for one episode. Whoever lends it starts and stops it."""
    return _Lent(source)


def pipeline_for(session: Session, devices: Sequence[str]) -> Pipeline | None:
    """What turns frames into actions where it is not our own retargeting.

    Raises:
        UserError: If the task has no pipeline for Isaac Teleop although it is asked for.
    """
    if "isaacteleop" not in devices:
        return None
    from apprentice.teleop.isaacteleop.pipeline import pipeline_of

    return pipeline_of(session)


def retarget_for(session: Session) -> RetargetCfg:
    """How people's hands move the end effectors of a task."""
    return RetargetCfg(
        base_yaw_rad=heading_rad(next(iter(session.env.scene.articulations.values()))),
        lead_s=getattr(session.env, "lag_s", RetargetCfg.lead_s),
    )
