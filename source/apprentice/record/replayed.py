"""Records demos that an earlier session's frames drive, or a recording of Isaac Teleop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from apprentice.demos import DemoWriter
from apprentice.errors import UserError
from apprentice.progress import Progress, silent
from apprentice.record.cfg import RecordCfg
from apprentice.record.ends import Ended
from apprentice.record.loop import EpisodeLoop
from apprentice.record.operators import retarget_for
from apprentice.record.recorder import RecordResult, demo_of, demos_so_far, group_of, next_seed_of, variant_of
from apprentice.record.redrive import drive_again
from apprentice.tasks.episode import file_meta
from apprentice.tasks.fingerprint import physics_fingerprint
from apprentice.tasks.registry import resolve_task
from apprentice.tasks.session import Session, open_session
from apprentice.teleop.read_log import LoggedSession, read_session
from apprentice.teleop.sources.replay import FrameReplay


def record_replayed(task: str, output: Path, cfg: RecordCfg, progress: Progress = silent) -> RecordResult:
    """Record what the frames of a log lead to.

    Args:
        task: Task id.
        output: Demo file; one of the same task is added to.
        cfg: How to record; its device is `replay:FILE`.
        progress: Told of episodes.

    Raises:
        UserError: If the log or the task cannot be used, or nothing in it leads to a demo.
    """
    log, task = cfg.replayed, resolve_task(task)
    assert log is not None
    logged = read_session(log)
    demos_so_far(output, task, cfg)
    variant = logged.meta.get("variant") if logged.episodes else None
    variant = variant_of(task, cfg) if variant in (None, "None") else variant
    with open_session(task, backend=cfg.backend, variant=variant, seed=cfg.seed, threads=cfg.threads) as session:
        fingerprint, saved, steps, discarded = physics_fingerprint(session), 0, 0, 0
        with DemoWriter(output, task=task, meta=file_meta(session), resume=True) as writer:
            episodes = _ours(session, logged) if logged.episodes else _isaac_teleops(session, log, output, cfg)
            for done, ended in enumerate(episodes, 1):
                group = group_of(ended, cfg)
                if group is not None:
                    writer.append(demo_of(session, ended, cfg, fingerprint), group)
                saved, discarded = saved + (group == "data"), discarded + (group != "data")
                steps += len(ended.tree["actions"]) if group == "data" else 0
                progress.update(done, max(done, len(logged.episodes)))
            if saved == 0:
                raise UserError(f"{log}: expected frames that lead to a demo of {task}, found none that save one.")
            return RecordResult(path=output, demos=writer.num_demos, saved=saved, discarded=discarded, steps=steps)


def _ours(session: Session, logged: LoggedSession) -> Iterator[Ended]:
    for episode in logged.episodes:
        ended = drive_again(session, logged, episode)
        if ended is not None:
            yield ended


def _isaac_teleops(session: Session, log: Path, output: Path, cfg: RecordCfg) -> Iterator[Ended]:
    from apprentice.teleop.isaacteleop.replay import read_recording

    frames = read_recording(log, session.task_info.eef_names)
    loop = EpisodeLoop(session, lambda _: FrameReplay(frames), cfg, retarget=retarget_for(session))
    seeds = iter([next_seed_of(output, cfg)])
    yield from loop.run(lambda: next(seeds, None))
