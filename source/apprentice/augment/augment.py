"""Augmentation from a file of source demos to a file of generated ones; killed at any moment, it continues where it was."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from apprentice.demos import Demo, DemoFile, DemoWriter, demo_attrs, versions
from apprentice.errors import UserError
from apprentice.progress import Progress, silent

from .attempt import Outcome
from .cfg import AugmentCfg
from .journal import Journal, journal_path, read_journal
from .plan import Planner
from .rollout import Finished, Rollout
from .select import require_strategy
from .source import SourceDemo, file_sha256, load_source
from .stats import most_common_failure, stats_path, summarise, write_stats


@dataclass(kw_only=True, frozen=True)
class AugmentResult:
    output: Path
    """The demo file."""
    stats: dict[str, Any]
    """As in FILE.stats.json."""


def augment(source: Path, output: Path, cfg: AugmentCfg, progress: Progress = silent) -> AugmentResult:
    """Generate demos, or the rest of them. Opens the simulator, of which there is one per process.

    Attempts are numbered, and the demos are the successes among the lowest-numbered ones, in that order: which they are
    depends on the source file and `cfg.identity` alone, not on the number of environments or on interruptions.

    Args:
        source: Annotated demos.
        output: Demo file to write; `FILE.attempts.jsonl` and `FILE.stats.json` are written beside it.
        cfg: Options.
        progress: Told of every demo.

    Raises:
        UserError: If the source cannot be used, `output` holds something else, or no attempt succeeds.
    """
    source, output = Path(source), Path(output)
    identity = json.loads(json.dumps({"source_sha256": file_sha256(source), "cfg": cfg.identity}))
    found = _successes_so_far(output, identity)
    if found > cfg.demos:
        raise UserError(f"{output}: expected to hold at most {cfg.demos} demos, found {found}; choose another output.")
    if found == cfg.demos and stats_path(output).exists():
        stats = json.loads(stats_path(output).read_text())
        if stats.get("successes") == found:
            progress.update(found, cfg.demos, "finished before")
            return AugmentResult(output=output, stats=stats)
    task = cfg.task or _infer(source)
    from apprentice.tasks.session import open_session

    with open_session(
        task, backend=cfg.backend, num_envs=_num_envs(cfg), variant=cfg.variant, seed=cfg.seed, threads=cfg.threads
    ) as session:
        planners = make_planners(session, source, cfg)
        run = _Run(session, planners, output, identity, cfg, source, progress)
        return run.generate()


def make_planners(session: Any, source: Path, cfg: AugmentCfg) -> dict[str, Planner]:
    """Planners for all end effectors of an open task.

    Raises:
        UserError: If the task or the source demos cannot be used.
    """
    from apprentice.tasks.eef_maps import action_to_gripper

    require_strategy(cfg.selection)
    env, info = session.env, session.task_info
    if not info.mimic:
        raise UserError(
            f"Expected a task with Isaac Lab's Mimic interface, found {session.task}, which has none: only Mimic tasks "
            "can be augmented."
        )
    subtasks = env.cfg.subtask_configs
    if getattr(env.cfg, "task_constraint_configs", None):
        raise UserError(f"Expected end effectors that work independently, found subtask constraints in {session.task}.")
    demos: list[SourceDemo] = load_source(
        source,
        eefs=list(subtasks),
        objects=list(session.object_poses()),
        signals=sorted({part.subtask_term_signal for parts in subtasks.values() for part in parts[:-1]}),
        to_gripper=lambda actions: action_to_gripper(env, actions),
    )
    from_last = env.cfg.datagen_config.generation_interpolate_from_last_target_pose
    return {
        eef: Planner(
            eef,
            parts,
            demos,
            symmetry=info.symmetry,
            control_hz=session.control_hz,
            from_last_target=from_last,
            cfg=cfg,
        )
        for eef, parts in subtasks.items()
    }


class _Run:
    """Generates with an open session: numbers attempts, puts them in order and saves them."""

    def __init__(
        self,
        session: Any,
        planners: dict[str, Planner],
        output: Path,
        identity: dict[str, Any],
        cfg: AugmentCfg,
        source: Path,
        progress: Progress,
    ) -> None:
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

    def generate(self) -> AugmentResult:
        info = self._session.task_info
        meta = {
            "task": self._session.task,
            "variant": self._session.variant,
            "backend": self._session.backend,
            "control_hz": self._session.control_hz,
            "eef_names": list(info.eef_names),
            "objects": list(self._session.object_poses()),
            "symmetry": dict(info.symmetry),
            "subtasks": {
                eef: [{"object": part.object_ref, "signal": part.subtask_term_signal} for part in planner.subtasks]
                for eef, planner in self._planners.items()
            },
            "versions": dict(versions()),
            "augment": self._identity,
        }
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
                if _successes(journal) == self._cfg.demos:
                    break
            stats = self._stats(journal)
        write_stats(self._output, stats)
        return AugmentResult(output=self._output, stats=stats)

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
            self._report(journal)
            if len(journal.lines) >= self._cfg.give_up_after and not _successes(journal):
                write_stats(self._output, self._stats(journal))
                outcomes = [line.outcome for line in journal.lines]
                raise UserError(
                    f"Expected some of {len(outcomes)} attempts to succeed, found none: {most_common_failure(outcomes)}. "
                    f"Look at the source demos there, or try --variant or --selection."
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
        successes, attempts = _successes(journal), len(journal.lines)
        note = f"DGR {100 * successes / attempts:.1f} %" if attempts else ""
        self._progress.update(successes, self._cfg.demos, note)

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


def _num_envs(cfg: AugmentCfg) -> int:
    return min(cfg.num_envs, max(1, math.ceil(1.2 * cfg.demos)))


def _successes_so_far(output: Path, identity: dict[str, Any]) -> int:
    """Demos that an interrupted or finished run of the same identity left in `output`.

    Raises:
        UserError: If `output` is something else.
    """
    if not output.exists():
        if journal_path(output).exists():
            raise UserError(
                f"{output}: expected this file beside {journal_path(output).name}, found none; remove that journal to "
                "start over."
            )
        return 0
    with DemoFile(output) as file:
        there = file.meta.get("augment")
        if there is None:
            raise UserError(f"{output}: expected a new file or one that augment began, found another; choose another output.")
        differing = _differences(there, identity)
        if differing:
            raise UserError(
                f"{output}: expected a file made with the same options to continue, found {'; '.join(differing)}; choose "
                "another output or those options."
            )
    return sum(line.outcome.success for line in read_journal(output))


def _differences(there: dict[str, Any], here: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key in sorted({*there, *here}):
        a, b = there.get(key), here.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{key}." if key != "cfg" else "")
        elif a != b:
            found.append(f"{prefix}{key} {a} instead of {b}")
    return found


def _infer(source: Path) -> str:
    """Id of the task that a source file belongs to."""
    from apprentice.tasks.infer import demo_structure, infer_task

    with DemoFile(source) as file:
        if not file.names:
            raise UserError(f"{source}: expected source demos, found none.")
        first = file.names[0]
        structure = demo_structure(file.keys(first), file.action_dim or 0)
        return infer_task(structure, file.task).task
