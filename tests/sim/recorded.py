"""Demos for tests: source demos by the scripted operator, and generated ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apprentice.augment.attempt import Finished
from apprentice.augment.cfg import AugmentCfg
from apprentice.augment.lessons import Assignment
from apprentice.augment.play.rollout import Rollout
from apprentice.augment.prepare import make_planners
from apprentice.record.cfg import RecordCfg
from apprentice.record.operators import scripted_operators
from apprentice.record.recorder import record_session


def record(session: Any, path: Path, demos: int) -> Path:
    """Record some demos of the session's task into a new file, and return its path."""
    record_session(session, path, RecordCfg(device=("scripted",), demos=demos), scripted_operators(session))
    return path


def generate(session: Any, source: Path, cfg: AugmentCfg, attempts: int) -> list[Finished]:
    """Play so many attempts in the session, in the order in which they end."""
    assignments = iter(map(Assignment, range(attempts)))
    return list(Rollout(session, make_planners(session, source, cfg), cfg).run(lambda: next(assignments, None)))
