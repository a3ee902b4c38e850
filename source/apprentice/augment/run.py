"""One run of augmentation: numbers attempts, puts them in order, and saves them. The only writer of its files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from apprentice.demos import Demo, DemoFile, DemoWriter, demo_attrs
from apprentice.errors import UserError
from apprentice.progress import Progress, silent
from apprentice.sim.physics import Physics
from apprentice.workers import Worker

from .attempt import Finished, Outcome
from .cfg import AugmentCfg
from .explain.coverage import Coverage
from .explain.failures import FailureFile
from .explain.probe import Probe
from .explain.stats import summarise, write_stats
from .generator import Facts
from .goals import Goals, Standing
from .journal import Journal, journal_path
from .lessons import Assignment, Ledger
from .play.randomise import draw_physics


@dataclass(kw_only=True, frozen=True)
class AugmentResult:
    output: Path
    """The demo file."""
    stats: dict[str, Any]
    """As in FILE.stats.json."""
    outcomes: list[Outcome]
    """All attempts, in the order of their numbers."""
    interrupted: bool = False
    """Whether Ctrl-C ended it before its goal."""


class Run:
    """Generates demos into one file."""

    def __init__(
        self,
        worker: Worker[Assignment, Finished],
        *,
        source: Path,
        output: Path,
        cfg: AugmentCfg,
        identity: dict[str, Any],
        progress: Progress = silent,
        workers: int = 1,
        start_seconds: float = 0.0,
    ) -> None:
        """Prepare a run.

        Args:
            worker: Makes the attempts: a `Generator`, or a pool of them.
            source: File of source demos, for provenance.
            output: Demo file to begin or to continue.
            cfg: Options.
            identity: What decides which demos come out; stored in the file.
            progress: Told of every attempt.
            workers: Processes that generate.
            start_seconds: How long it took to start them.
        """
        self._worker = worker
        self._facts: Facts = worker.facts
        self._output = output
        self._identity = identity
        self._cfg = cfg
        self._source = source
        self._progress = progress
        self._workers, self._start_seconds = workers, start_seconds
        self._goals = Goals(cfg)
        self._waiting: dict[int, Finished] = {}
        """Attempts that ended before one with a lower number did."""
        self._handed_out = 0
        self._coverage, self._ledger = self._no_coverage(), Ledger(cfg.learn, self._no_coverage())
        self._probe = Probe(cfg.give_up_after)
        self._hopeless: str | None = None
        """Why it makes no sense to go on."""
        self._outcomes: list[Outcome] = []
        """Attempts that are in the journal."""
        self._successes = 0

    def generate(self) -> AugmentResult:
        """Generate until a goal is reached, or Ctrl-C.

        Raises:
            UserError: If no attempt succeeds, or the file and its journal do not match.
        """
        meta: dict[str, Any] = self._facts.meta | {"augment": self._identity}
        with (
            DemoWriter(self._output, task=meta["task"], meta=meta, resume=True) as writer,
            Journal(self._output, self._start_seconds) as journal,
            FailureFile(self._output, self._facts.meta) as failures,
        ):
            self._failures = failures
            interrupted = False
            for line in journal.lines:
                self._note(line.outcome)
            self._reconcile(writer, journal)
            self._handed_out = len(self._outcomes)
            try:
                self._go_on(writer, journal)
            except KeyboardInterrupt:
                interrupted = True
                self._reconcile(writer, journal)
            stats = self._stats(journal)
        write_stats(self._output, stats)
        if self._hopeless is not None:
            raise UserError(self._hopeless)
        return AugmentResult(output=self._output, stats=stats, outcomes=self._outcomes, interrupted=interrupted)

    def _go_on(self, writer: DemoWriter, journal: Journal) -> None:
        self._report(journal)
        if self._hopeless is not None or self._goals.reached(self._standing(journal)):
            return
        for finished in self._worker.run(lambda: self._next(journal)):
            self._waiting[finished.number] = finished
            self._save_in_order(writer, journal)
            self._report(journal)
            if self._hopeless is not None or self._goals.reached(self._standing(journal)):
                return

    def _next(self, journal: Journal) -> Assignment | None:
        """The next attempt, if enough of those under way may fail that it is needed."""
        under_way = self._handed_out - len(self._outcomes) - len(self._waiting)
        if under_way >= self._goals.attempts_wanted(self._standing(journal), self._waiting_successes):
            return None
        assignment = self._ledger.assign(self._handed_out, self._outcomes)
        if assignment is not None:
            self._handed_out += 1
        return assignment

    def _save_in_order(self, writer: DemoWriter, journal: Journal) -> None:
        while len(self._outcomes) in self._waiting and not self._goals.reached(self._standing(journal)):
            finished = self._waiting.pop(len(self._outcomes))
            if finished.outcome.success:
                writer.append(self._demo(finished))
            self._failures.keep(finished.outcome, finished.failed_tries)
            journal.append(finished.outcome)
            self._note(finished.outcome)
            if self._hopeless is not None:
                return

    def _note(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._successes += outcome.success
        self._coverage.add(outcome.initial_objects, outcome.success)
        self._hopeless = self._hopeless or self._probe.add(outcome)

    def _demo(self, finished: Finished) -> Demo:
        outcome, cfg, meta = finished.outcome, self._cfg, self._facts.meta
        physics = draw_physics(cfg.seed, outcome.number, meta["objects"], cfg.randomise)
        attrs = demo_attrs(
            task=meta["task"],
            variant=meta["variant"],
            backend=meta["backend"],
            operator="generated",
            device="augment",
            seed=outcome.seed,
            control_hz=meta["control_hz"],
            physics_fingerprint=physics.fingerprint(self._facts.physics_fingerprint),
            source_file=self._source.name,
            source_sha256=self._identity["source_sha256"],
            attempt=asdict(outcome),
            **({} if physics == Physics() else {"physics": asdict(physics)}),
        )
        return Demo(actions=finished.actions, data=finished.data, success=True, attrs=attrs)

    def _reconcile(self, writer: DemoWriter, journal: Journal) -> None:
        """Note the attempt whose demo was saved just before a kill, and not the attempt itself."""
        if writer.num_demos > self._successes:
            with DemoFile(self._output) as file:
                last = Outcome(**file.attrs(file.names[-1])["attempt"])
            if last.number == len(self._outcomes):
                journal.append(last)
                self._note(last)
        if writer.num_demos != self._successes:
            raise UserError(
                f"{self._output}: expected the {self._successes} demos that {journal_path(self._output).name} "
                f"tells of, found {writer.num_demos}; choose another output."
            )

    @property
    def _waiting_successes(self) -> int:
        return sum(one.outcome.success for one in self._waiting.values())

    def _standing(self, journal: Journal) -> Standing:
        wanted = self._cfg.coverage
        return Standing(
            attempts=len(self._outcomes),
            successes=self._successes,
            wall_seconds=journal.wall_seconds,
            coverage_share=self._coverage.share,
            coverage_reached=wanted is not None and self._coverage.reached(wanted),
        )

    def _report(self, journal: Journal) -> None:
        attempts, successes = len(self._outcomes) + len(self._waiting), self._successes + self._waiting_successes
        note = f"DGR {100 * successes / attempts:.1f} %" if attempts else self._reach_note
        done, total = self._goals.progress(self._standing(journal), self._waiting_successes)
        self._progress.update(done, total, note)

    @property
    def _reach_note(self) -> str:
        """What stands in the way of demos of another arm, while there is nothing else to tell."""
        out = [part["summary"] for part in self._facts.reach if part["out"]]
        return "; ".join(out) or ("everything is within reach" if self._facts.reach else "")

    def _stats(self, journal: Journal) -> dict[str, Any]:
        meta = self._facts.meta
        about = {
            "task": meta["task"],
            "variant": meta["variant"],
            "backend": meta["backend"],
            "seed": self._cfg.seed,
            "source_file": str(self._source),
            "source_sha256": self._identity["source_sha256"],
        }
        if self._cfg.states:
            about |= {
                "start_states": [str(path) for path in self._cfg.states],
                "states_left_out": self._facts.states_left_out,
            }
        if "transfer" in self._identity:
            about |= {"transfer": {**self._identity["transfer"], "reach": self._facts.reach}}
        return summarise(
            journal.lines,
            about=about,
            retry=self._cfg.retry is not None,
            workers=self._workers,
            coverage=self._coverage,
        )

    def _no_coverage(self) -> Coverage:
        return Coverage(self._facts.meta["symmetry"], self._facts.reset_ranges)
