"""Drives a recorded session again from the log of its frames, through the whole teleoperation path.

A demo's replay repeats its actions; this repeats what the operator did, and so tests all that turns it into actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apprentice.demos import DemoFile
from apprentice.errors import UserError
from apprentice.progress import Progress, silent
from apprentice.record.cfg import RecordCfg, ReplayCfg
from apprentice.record.ends import Ended
from apprentice.record.loop import EpisodeLoop
from apprentice.record.operators import pipeline_for, retarget_for
from apprentice.record.playback import task_for
from apprentice.record.slot import Slot
from apprentice.tasks.session import Session, open_session
from apprentice.teleop.read_log import LoggedEpisode, LoggedSession, read_session
from apprentice.teleop.sources.replay import TickReplay


@dataclass(kw_only=True, frozen=True)
class Redriven:
    """What came of one demo's frames."""

    name: str
    """Name of the demo."""
    steps: int
    """Control steps of the demo."""
    same_actions: bool
    """Whether the frames led to the very same actions, bit for bit."""
    success: bool
    """Whether it succeeded again."""


@dataclass(kw_only=True, frozen=True)
class RedriveReport:
    file: str
    """The demo file."""
    demos: list[Redriven]
    """Those that have a log of frames, in the file's order."""
    without: int
    """Demos whose frames were not logged."""

    def summary(self) -> str:
        """What came out, in one or two sentences."""
        same = sum(demo.same_actions for demo in self.demos)
        text = f"{same} of {len(self.demos)} demos driven again from their frames led to the very same actions"
        return text + (f"; {self.without} have no log of frames." if self.without else ".")


def redrive(path: Path, cfg: ReplayCfg, progress: Progress = silent) -> RedriveReport:
    """Drive every demo of a file again whose operator's frames were logged.

    Args:
        path: The demo file; the logs are beside it.
        cfg: Where to replay.
        progress: Told of demos that are done.

    Raises:
        UserError: If the file or a log cannot be read, or no demo has a log.
    """
    with DemoFile(path) as file:
        task, variant = task_for(file, cfg.task), cfg.variant or file.meta.get("variant")
        logs = {name: str(file.attrs(name)["frames"]) for name in file.names if "frames" in file.attrs(name)}
    if not logs:
        raise UserError(f"{path}: expected demos with a log of their operator's frames, found none that names one.")
    with open_session(task, backend=cfg.backend, variant=variant, threads=cfg.threads) as session:
        return redrive_in(session, path, logs, progress)


def redrive_in(session: Session, path: Path, logs: dict[str, str], progress: Progress = silent) -> RedriveReport:
    """Drive again in a session of one environment that is open: see `redrive`.

    Args:
        session: The task.
        path: The demo file.
        logs: By demo, the name of the log beside the file.
        progress: Told of demos that are done.
    """
    sessions = {log: read_session(path.with_name(log)) for log in dict.fromkeys(logs.values())}
    redriven: list[Redriven] = []
    with DemoFile(path) as file:
        for name, log in logs.items():
            demo = file.read(name, ["actions"])
            ended = drive_again(session, sessions[log], _episode(sessions[log], int(demo.attrs["seed"]), path, log))
            actions = ended.tree.get("actions") if ended else None
            same = actions is not None and np.array_equal(actions.astype(np.float32), demo.actions)
            success = ended is not None and ended.success
            redriven.append(Redriven(name=name, steps=demo.length, same_actions=same, success=success))
            progress.update(len(redriven), len(logs))
        without = len(file.names) - len(logs)
    return RedriveReport(file=str(path), demos=redriven, without=without)


def _episode(session: LoggedSession, seed: int, path: Path, log: str) -> LoggedEpisode:
    for episode in session.episodes:
        if episode.number == seed:
            return episode
    raise UserError(f"{path.with_name(log)}: expected the frames of the episode with seed {seed}, found none.")


def drive_again(session: Session, logged: LoggedSession, episode: LoggedEpisode) -> Ended | None:
    """Drive one episode as it was driven; None if its frames end before it does."""
    source = TickReplay(episode.ticks)

    def clock(slot: Slot) -> float:
        del slot
        return source.time_s

    cfg = RecordCfg(max_steps=len(episode.ticks) + 1, held_steps=int(logged.meta.get("held_steps", 10)))
    loop = EpisodeLoop(
        session,
        lambda _: source,
        cfg,
        retarget=retarget_for(session),
        pipeline=pipeline_for(session, logged.meta.get("device", "").split()),
        countdown_s=float(logged.meta.get("countdown_s", 0.0)),
        rewinds=True,
        watcher=_Stopper(source),
        clock=clock,
    )
    seeds = iter([episode.number])
    return next(loop.run(lambda: next(seeds, None)), None)


class _Stopper:
    """Ends a loop whose frames have run out."""

    def __init__(self, source: TickReplay) -> None:
        self._source = source

    def on_frame(self, slot: Slot, frame: object, now_s: float, lost: str) -> None:
        pass

    def on_tick(self, loop: EpisodeLoop) -> None:
        loop.stopping |= self._source.done

    def on_undo(self) -> None:
        pass
