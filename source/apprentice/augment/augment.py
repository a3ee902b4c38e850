"""Augmentation from a file of source demos to a file of generated ones. Killed at any moment, it can be continued."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apprentice.demos import require_readable
from apprentice.demos.start_states import StartStates, join_start_states, read_start_states
from apprentice.errors import UserError
from apprentice.progress import Progress, silent
from apprentice.workers import Pool, Worker, available_cores

from .attempt import Finished
from .cfg import AugmentCfg
from .explain.stats import stats_path
from .generator import OpenGenerator
from .identity import file_sha256, successes_so_far
from .journal import read_journal
from .lessons import Assignment
from .run import AugmentResult, Run

DEMOS_PER_WORKER = 250
"""Demos that a worker of its own is started for: below, starting Isaac Lab once more takes longer than it saves."""


def augment(source: Path, output: Path, cfg: AugmentCfg, progress: Progress = silent) -> AugmentResult:
    """Generate demos, or the rest of them.

    Attempts are numbered, and the demos are the successes among the lowest-numbered ones, in that order: which they are
    depends on the source file and `cfg.identity` alone, not on the number of environments, workers or machines, nor on
    interruptions. With one worker, the simulator runs in this process, and there can be no other one in it.

    Args:
        source: Annotated demos.
        output: Demo file to write; `FILE.attempts.jsonl` and `FILE.stats.json` are written beside it.
        cfg: Options.
        progress: Told of every demo.

    Raises:
        UserError: If the source cannot be used, `output` holds something else, or no attempt succeeds.
    """
    began = time.monotonic()
    source, output = Path(source), Path(output)
    identity: dict[str, Any] = {"source_sha256": file_sha256(source), "cfg": json.loads(json.dumps(cfg.identity))}
    starts = join_start_states([read_start_states(path) for path in cfg.states]) if cfg.states else None
    if starts is not None:
        identity["start_states"] = starts.sha256
    found = successes_so_far(output, identity, still_unknown="transfer")
    wanted = cfg.wanted_demos
    if wanted is not None and found > wanted:
        raise UserError(f"{output}: expected to hold at most {wanted} demos, found {found}; choose another output.")
    if found == wanted and stats_path(output).exists():
        stats = json.loads(stats_path(output).read_text())
        if stats.get("successes") == found:
            progress.update(found, found, "finished before")
            outcomes = [line.outcome for line in read_journal(output)]
            return AugmentResult(output=output, stats=stats, outcomes=outcomes)
    require_readable(source)
    with _open(source, cfg, starts) as (worker, workers):
        if worker.facts.transfer is not None:
            identity["transfer"] = worker.facts.transfer
        successes_so_far(output, identity)
        run = Run(
            worker,
            source=source,
            output=output,
            cfg=cfg,
            identity=identity,
            progress=progress,
            workers=workers,
            start_seconds=time.monotonic() - began,
        )
        return run.generate()


@contextlib.contextmanager
def _open(
    source: Path, cfg: AugmentCfg, starts: StartStates | None
) -> Iterator[tuple[Worker[Assignment, Finished], int]]:
    """Whoever makes the attempts, and in how many processes."""
    workers = cfg.workers if cfg.workers or cfg.cluster else _default_workers(cfg)
    open_generator = OpenGenerator(
        source=source,
        content=source.read_bytes() if cfg.cluster else None,
        cfg=cfg,
        num_envs=_num_envs(cfg, workers or 1),
        # what one process alone does with more threads, many do better with one each
        threads=cfg.threads if workers == 1 and not cfg.cluster else 1,
        starts=starts,
    )
    if workers == 1 and not cfg.cluster:
        with open_generator() as generator:
            yield generator, 1
        return
    with Pool[Assignment, Finished](open_generator, workers, cluster=cfg.cluster) as pool:
        yield pool, pool.workers


def _default_workers(cfg: AugmentCfg) -> int:
    if cfg.backend != "native":
        return 1
    wanted = cfg.wanted_demos
    worth_it = available_cores() if wanted is None else wanted // DEMOS_PER_WORKER
    return max(1, min(available_cores(), worth_it))


def _num_envs(cfg: AugmentCfg, workers: int) -> int:
    """Environments of each worker: no more than have something to do."""
    most = cfg.num_envs
    if cfg.wanted_demos is not None:
        most = min(most, math.ceil(1.2 * cfg.wanted_demos / workers))
    if cfg.learn.on:
        most = min(most, cfg.learn.behind // workers)
    return max(1, most)
