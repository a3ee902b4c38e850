"""A worker of augmentation: an open session that makes attempts, in this process or in another one."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .attempt import Finished
from .cfg import AugmentCfg
from .explain.coverage import Ranges
from .lessons import Assignment

if TYPE_CHECKING:
    from apprentice.demos.start_states import StartStates

    from .planning.plan import Planner
    from .planning.reach import SubtaskReach
    from .sources.transfer import Transfer


@dataclass(frozen=True)
class Facts:
    """What the demos of all workers have in common."""

    meta: dict[str, Any]
    """As `file_meta` gives it."""
    physics_fingerprint: str
    reset_ranges: Ranges
    """What resets draw, where the task states it."""
    reach: list[dict[str, Any]] = field(default_factory=list)
    """How the source segments of another arm lie for this one, by subtask; empty for demos of the task's own arm."""
    transfer: dict[str, Any] | None = None
    """`Transfer.identity`, for demos of another arm."""
    states_left_out: int = 0
    """Given start states from which no subtask of the source demos can go on."""


class Generator:
    """Makes attempts on an open session."""

    def __init__(
        self,
        session: Any,
        planners: Mapping[str, Planner],
        cfg: AugmentCfg,
        reach: Sequence[SubtaskReach] = (),
        transfer: Transfer | None = None,
        starts: StartStates | None = None,
    ) -> None:
        """Prepare.

        Args:
            session: An open Mimic task; all its environments are used.
            planners: One per end effector.
            cfg: Options.
            reach: What `check_reach` found, for demos of another arm.
            transfer: How those get to the task's.
            starts: States that attempts begin from; None lets them begin from resets.

        Raises:
            UserError: If no attempt can begin from the states.
        """
        # they import torch, which whoever only gives work to other processes does without
        from apprentice.tasks.episode import file_meta
        from apprentice.tasks.fingerprint import physics_fingerprint

        from .play.rollout import Rollout
        from .play.starts import Starts

        beginnings = None if starts is None else Starts(session, planners, starts)
        self._rollout = Rollout(session, planners, cfg, beginnings)
        self.slots: int = session.num_envs
        ranges: Ranges = getattr(session.env.cfg, "object_reset_ranges", {})
        self.facts = Facts(
            file_meta(session),
            physics_fingerprint(session),
            ranges,
            [one.described() for one in reach],
            None if transfer is None else json.loads(json.dumps(transfer.identity)),
            0 if beginnings is None else beginnings.left_out,
        )

    def run(self, next_job: Callable[[], Assignment | None]) -> Iterator[Finished]:
        """Make attempts, as `apprentice.workers.Worker.run`."""
        return self._rollout.run(next_job)


@dataclass(frozen=True, kw_only=True)
class OpenGenerator:
    """Opens the simulator, of which there is one per process, and makes a `Generator`."""

    source: Path
    """File of source demos."""
    content: bytes | None
    """What is in it, for machines that do not see it."""
    cfg: AugmentCfg
    """Options."""
    num_envs: int
    """Environments stepped together."""
    threads: int
    """Processor threads."""
    starts: StartStates | None = None
    """What `cfg.states` holds."""

    @contextlib.contextmanager
    def __call__(self) -> Iterator[Generator]:
        """Open it.

        Raises:
            UserError: If the task or the source demos cannot be used.
        """
        from apprentice.tasks.registry import task_info
        from apprentice.tasks.session import open_session

        from .planning.reach import check_reach
        from .prepare import infer, make_planners, require_usable

        cfg = self.cfg
        with self._file() as source:
            task = cfg.task or infer(source)
            info = task_info(task)
            transfer = require_usable(source, info, cfg)
            with open_session(
                task,
                backend=cfg.backend,
                num_envs=self.num_envs,
                variant=cfg.variant,
                seed=cfg.seed,
                threads=self.threads,
            ) as session:
                planners = make_planners(session, source, cfg, transfer)
                reach = [] if transfer is None else check_reach(session, planners[transfer.eef], cfg)
                yield Generator(session, planners, cfg, reach, transfer, self.starts)

    @contextlib.contextmanager
    def _file(self) -> Iterator[Path]:
        if self.content is None:
            yield self.source
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.source.name
            path.write_bytes(self.content)
            yield path
