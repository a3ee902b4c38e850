"""One run of augmentation on an open session: numbers attempts, puts them in order, and saves them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from apprentice.demos import Demo, DemoFile, DemoWriter, demo_attrs
from apprentice.errors import UserError
from apprentice.progress import Progress, silent
from apprentice.tasks.episode import file_meta
from apprentice.tasks.fingerprint import physics_fingerprint

from .attempt import Outcome
from .cfg import AugmentCfg
from .journal import Journal, journal_path
from .plan import Planner
from .rollout import Finished, Rollout
from .stats import most_common_failure, summarise, write_stats


@dataclass(kw_only=True, frozen=True)
class AugmentResult:
    output: Path
    """The demo file."""
    stats: dict[str, Any]
    """As in FILE.stats.json."""
    outcomes: list[Outcome]
    """All attempts, in the order of their numbers."""


class Run:
    """Generates demos into one file."""

    def __init__(
        self,
        session: Any,
        planners: dict[str, Planner],
        *,
        source: Path,
        output: Path,
        cfg: AugmentCfg,
        identity: dict[str, Any],
        progress: Progress = silent,
    ) -> None:
        """Prepare a run.

        Args:
            session: An open Mimic task; all its environments are used.
            planners: One per end effector.
            source: File of source demos, for provenance.
            output: Demo file to begin or to continue.
            cfg: Options.
            identity: What decides which demos come out; stored in the file.
            progress: Told of every attempt.
        """
        self._session = session
        self._planners = planners
        self._output = output
        self._identity = identity
        self._cfg = cfg
        self._source = source
        self._progress = progress
        self._waiting: dict[int, Finished] = {}
        """Attempts that ended before one with a lower number did."""
        self._handed_out = 0
        self._fingerprint = physics_fingerprint(session)

    def generate(self) -> AugmentResult:
        """Generate until the file holds as many demos as wanted.

        Raises:
            UserError: If no attempt succeeds, or the file and its journal do not match.
        """
        meta = file_meta(self._session) | {"augment": self._identity}
        with (
            DemoWriter(self._output, task=self._session.task, meta=meta, resume=True) as writer,
            Journal(self._output) as journal,
        ):
            self._reconcile(writer, journal)
            self._handed_out = len(journal.lines)
            rollout = Rollout(self._session, self._planners, self._cfg)
            self._report(journal)
            for finished in rollout.run(lambda: self._next(journal)):
                self._waiting[finished.outcome.number] = finished
                self._save_in_order(writer, journal)
                self._report(journal)
                if _successes(journal) == self._cfg.demos:
                    break
            stats = self._stats(journal)
        write_stats(self._output, stats)
        return AugmentResult(output=self._output, stats=stats, outcomes=[line.outcome for line in journal.lines])

    def _next(self, journal: Journal) -> int | None:
        """The number of the next attempt, if enough of those under way may fail that it is needed."""
        under_way = self._handed_out - len(journal.lines) - len(self._waiting)
        successes = _successes(journal)
        certain = successes + sum(one.outcome.success for one in self._waiting.values())
        rate = max((successes + 1) / (len(journal.lines) + 1), 0.2)
        if under_way >= math.ceil((self._cfg.demos - certain) / rate):
            return None
        self._handed_out += 1
        return self._handed_out - 1

    def _save_in_order(self, writer: DemoWriter, journal: Journal) -> None:
        while _successes(journal) < self._cfg.demos and len(journal.lines) in self._waiting:
            finished = self._waiting.pop(len(journal.lines))
            if finished.outcome.success:
                writer.append(self._demo(finished))
            journal.append(finished.outcome)
            if len(journal.lines) >= self._cfg.give_up_after and not _successes(journal):
                write_stats(self._output, self._stats(journal))
                outcomes = [line.outcome for line in journal.lines]
                raise UserError(
                    f"Expected some of {len(outcomes)} attempts to succeed, found none: "
                    f"{most_common_failure(outcomes)}. Look at the source demos there, or try --variant or --selection."
                )

    def _demo(self, finished: Finished) -> Demo:
        outcome = finished.outcome
        attrs = demo_attrs(
            task=self._session.task,
            variant=self._session.variant,
            backend=self._session.backend,
            operator="generated",
            device="augment",
            seed=self._cfg.seed + outcome.number,
            control_hz=self._session.control_hz,
            physics_fingerprint=self._fingerprint,
            source_file=self._source.name,
            source_sha256=self._identity["source_sha256"],
            attempt=asdict(outcome),
        )
        return Demo(actions=finished.actions, data=finished.data, success=True, attrs=attrs)

    def _reconcile(self, writer: DemoWriter, journal: Journal) -> None:
        """Note the attempt whose demo was saved just before a kill, and not the attempt itself."""
        if writer.num_demos > _successes(journal):
            with DemoFile(self._output) as file:
                last = Outcome(**file.attrs(file.names[-1])["attempt"])
            if last.number == len(journal.lines):
                journal.append(last)
        if writer.num_demos != _successes(journal):
            raise UserError(
                f"{self._output}: expected the {_successes(journal)} demos that {journal_path(self._output).name} "
                f"tells of, found {writer.num_demos}; choose another output."
            )

    def _report(self, journal: Journal) -> None:
        outcomes = [line.outcome for line in journal.lines] + [one.outcome for one in self._waiting.values()]
        successes = sum(outcome.success for outcome in outcomes)
        note = f"DGR {100 * successes / len(outcomes):.1f} %" if outcomes else ""
        self._progress.update(min(successes, self._cfg.demos), self._cfg.demos, note)

    def _stats(self, journal: Journal) -> dict[str, Any]:
        about = {
            "task": self._session.task,
            "variant": self._session.variant,
            "backend": self._session.backend,
            "seed": self._cfg.seed,
            "source_file": str(self._source),
            "source_sha256": self._identity["source_sha256"],
        }
        return summarise(journal.lines, about=about, retry=self._cfg.retry is not None)


def _successes(journal: Journal) -> int:
    return sum(line.outcome.success for line in journal.lines)
