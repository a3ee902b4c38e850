"""What an attempt may know of those before it, so that the demos do not depend on who generates them, or how fast.

Attempts come in rounds. All attempts of a round know the same: the outcomes of all attempts below its horizon, some
hundred numbers back. So nobody waits for the attempts that are still under way, and those that begin together and end
in any order come out the same as one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .cfg import LearnCfg
from .explain.coverage import Coverage

if TYPE_CHECKING:
    from .attempt import Outcome

Record = Mapping[tuple[str, str], tuple[float, float]]
"""By source demo and pose region: how often a segment was tried, and how often in vain."""


@dataclass(frozen=True)
class Lessons:
    """What the attempts of one round know."""

    horizon: int = 0
    """All attempts below this number are known."""
    records: Mapping[tuple[str, int], Record] = field(default_factory=dict)
    """Per end effector and subtask."""
    owed: Coverage | None = None
    """Cells of initial states, if some were attempted and never succeeded."""


NO_LESSONS = Lessons()


@dataclass(frozen=True)
class Assignment:
    """An attempt to be made."""

    number: int
    lessons: Lessons = NO_LESSONS


def horizon(number: int, cfg: LearnCfg) -> int:
    """All attempts below this one are known to attempt `number`; it cannot begin before they have ended."""
    return max(0, (number - cfg.behind) // cfg.round * cfg.round) if cfg.on else 0


class Ledger:
    """Gathers lessons from outcomes, in the order of their numbers."""

    def __init__(self, cfg: LearnCfg, coverage: Coverage) -> None:
        """Begin with none.

        Args:
            cfg: Options.
            coverage: Without attempts; those below the horizon are counted in it.
        """
        self._cfg, self._coverage = cfg, coverage
        self._records: dict[tuple[str, int], dict[tuple[str, str], tuple[float, float]]] = {}
        self._lessons = NO_LESSONS

    def assign(self, number: int, outcomes: Sequence[Outcome]) -> Assignment | None:
        """The attempt of a number, with its lessons; None if it must know outcomes that are not there yet.

        Args:
            number: Not lower than in the call before.
            outcomes: All that are known without a gap, from number 0 on.
        """
        until = horizon(number, self._cfg)
        if until > len(outcomes):
            return None
        if until > self._lessons.horizon:
            for outcome in outcomes[self._lessons.horizon : until]:
                self._learn(outcome)
            self._lessons = Lessons(
                until,
                {key: dict(record) for key, record in self._records.items()},
                self._coverage.frozen() if self._coverage.owed() else None,
            )
        return Assignment(number, self._lessons)

    def _learn(self, outcome: Outcome) -> None:
        self._coverage.add(outcome.initial_objects, outcome.success)
        for part in outcome.subtasks:
            record = self._records.setdefault((part["eef"], part["index"]), {})
            for demo, region, tries, failures in part["used"]:
                before = record.get((demo, region), (0, 0))
                record[demo, region] = before[0] + tries, before[1] + failures
