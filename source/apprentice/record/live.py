"""Recording by people: the loop in real time, with the operator's page, the view of the scene and a log of frames."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from apprentice.demos import DemoWriter
from apprentice.progress import Progress, silent
from apprentice.record.cfg import RecordCfg
from apprentice.record.loop import EpisodeLoop
from apprentice.record.machine import State
from apprentice.record.operators import lent, pipeline_for, retarget_for
from apprentice.record.pace import Pace
from apprentice.record.page import OpenPage, Scenery, open_page
from apprentice.record.recorder import RecordResult, demo_of, demos_so_far, group_of, next_seed_of, variant_of
from apprentice.record.saver import Saver
from apprentice.record.slot import Slot
from apprentice.record.status import status
from apprentice.tasks.episode import file_meta
from apprentice.tasks.fingerprint import physics_fingerprint
from apprentice.tasks.registry import resolve_task
from apprentice.tasks.session import Session, open_session
from apprentice.teleop.bindings import Bindings
from apprentice.teleop.frame import TeleopFrame
from apprentice.teleop.log import FrameLog, new_log
from apprentice.teleop.sources.base import LiveSource
from apprentice.teleop.sources.open import Opened, open_sources
from apprentice.teleop.web.cfg import Address


def record_live(
    task: str,
    output: Path,
    cfg: RecordCfg,
    *,
    ready: Callable[[Address], None],
    progress: Progress = silent,
) -> RecordResult:
    """Record demos that people drive, until the file holds as many as asked for or they stop.

    Args:
        task: Task id.
        output: Demo file; one of the same task is added to.
        cfg: How to record.
        ready: Told where the page is, once it answers.
        progress: Told of saved demos.

    Raises:
        UserError: If the task is unknown, a device or the page cannot be opened, the file holds something else or
            cannot be written.
    """
    task = resolve_task(task)
    before = demos_so_far(output, task, cfg)
    if before >= cfg.demos:
        return RecordResult(path=output, demos=before, saved=0, discarded=0, steps=0)
    variant = variant_of(task, cfg)
    with open_session(task, backend=cfg.backend, variant=variant, seed=cfg.seed, threads=cfg.threads) as session:
        return record_live_session(session, output, cfg, ready=ready, progress=progress)


def record_live_session(
    session: Session,
    output: Path,
    cfg: RecordCfg,
    *,
    ready: Callable[[Address], None],
    progress: Progress = silent,
) -> RecordResult:
    """Record in a session of one environment that is open: see `record_live`."""
    bindings = Bindings.load(cfg.bindings)
    about = {
        "task": session.task,
        "variant": str(session.variant),
        "backend": session.backend,
        "countdown_s": str(cfg.countdown_s),
        "held_steps": str(cfg.held_steps),
        "device": " ".join(cfg.device),
    }
    with (
        DemoWriter(output, task=session.task, meta=file_meta(session), resume=True) as writer,
        contextlib.closing(Saver(writer)) as saver,
        contextlib.closing(new_log(output, about)) as log,
        _prompt_threads(),
    ):
        words = ["xr" if word == "isaacteleop" else word for word in cfg.device]
        scenery = Scenery.of(session)
        opened = open_sources(
            words,
            session.task_info.eef_names,
            bindings,
            camera_yaws=scenery.yaws,
            walks=session.base_pose() is not None,
        )
        opened.listen(log.frame)
        with open_page(session, cfg, opened, scenery) as page, _started(opened.source):
            ready(page.address)
            return _Live(session, cfg, saver, opened, page, log, scenery.colours).record(output, progress)


@contextlib.contextmanager
def _prompt_threads() -> Iterator[None]:
    """Let the page's thread hear an input at once while the simulator's is busy: Python's default lets it wait 5 ms."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextlib.contextmanager
def _started(source: LiveSource) -> Iterator[None]:
    source.start()
    try:
        yield
    finally:
        source.stop()


class _Live:
    """One recording: watches the loop and passes on what it sees."""

    def __init__(
        self,
        session: Session,
        cfg: RecordCfg,
        saver: Saver,
        opened: Opened,
        page: OpenPage,
        log: FrameLog,
        colours: Mapping[str, str],
    ) -> None:
        self._session, self._cfg, self._saver = session, cfg, saver
        self._source, self._server, self._view, self._log = opened.source, page.server, page.view, log
        self._colours = colours
        self._pace = Pace(session.control_hz)
        self._latency_s = 0.0
        self._driven: float | None = None
        self._seen = State.READY
        self._done = 0

    def record(self, output: Path, progress: Progress) -> RecordResult:
        session, cfg, saver = self._session, self._cfg, self._saver
        fingerprint = physics_fingerprint(session)
        before, steps = saver.demos, 0
        seeds = itertools.count(next_seed_of(output, cfg))
        loop = EpisodeLoop(
            session,
            lambda _: lent(self._source),
            cfg,
            retarget=retarget_for(session),
            pipeline=pipeline_for(session, cfg.device),
            pace=self._pace,
            countdown_s=cfg.countdown_s,
            rewinds=True,
            watcher=self,
        )
        progress.update(before, cfg.demos)
        with contextlib.suppress(KeyboardInterrupt):  # one way to end a session; the episode in flight is lost
            for ended in loop.run(lambda: next(seeds) if saver.demos < cfg.demos else None):
                group = group_of(ended, cfg)
                if group is not None:
                    seconds = len(ended.tree["actions"]) / session.control_hz
                    saver.save(demo_of(session, ended, cfg, fingerprint, frames=self._log.path.name), group, seconds)
                if group == "data":
                    steps += len(ended.tree["actions"])
                else:
                    saver.discarded += 1
                progress.update(saver.demos, cfg.demos)
        saver.flush()
        return RecordResult(
            path=output, demos=saver.demos, saved=saver.demos - before, discarded=saver.discarded, steps=steps
        )

    def on_frame(self, slot: Slot, frame: TeleopFrame | None, now_s: float, lost: str) -> None:
        self._log.tick(slot.seed, frame, lost, state=slot.state, time_s=now_s)

    def on_tick(self, loop: EpisodeLoop) -> None:
        slot = loop.slots[0]
        frame = slot.frame
        if slot.state is State.RECORDING and frame is not None and frame.time_s != self._driven:
            self._driven = frame.time_s
            self._latency_s = time.monotonic() - frame.time_s
        self._feel(slot)
        self._server.publish(
            status(
                loop, self._session, self._cfg, self._saver, self._source, self._pace, self._latency_s, self._colours
            )
        )
        if self._view is not None:
            self._view.update({key: value.numpy(force=True)[0] for key, value in self._session.state().items()})

    def on_undo(self) -> None:
        self._saver.undo()

    def _feel(self, slot: Slot) -> None:
        """Let hands feel a subtask that is done, and a robot that stops by itself."""
        stopped = slot.state is State.PAUSED and self._seen is State.RECORDING and bool(slot.why)
        if stopped or len(slot.done) > self._done:
            for eef in self._session.task_info.eef_names:
                self._server.pulse("left" if "left" in eef else "right", 1.0 if stopped else 0.5, 60)
        self._seen, self._done = slot.state, len(slot.done)
