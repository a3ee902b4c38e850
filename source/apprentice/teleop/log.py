"""Writes down what operators did, beside the demos: every frame as it arrived, and which one was used when.

MCAP with JSON messages, so that Foxglove and the mcap tools read it. Topics are `/frames/<source>`, `/ticks` and
`/notes`. The loop hands things over and goes on; a thread writes. What was written survives a kill of the process,
except for the last half second.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcap.writer import CompressionType, Writer

from apprentice.teleop.frame import TeleopFrame
from apprentice.teleop.frame_json import FRAME_SCHEMA, frame_to_json

TICK_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Tick",
    "properties": {
        "time_s": {"type": "number"},
        "episode": {"type": "integer"},
        "state": {"type": "string"},
        "lost": {"type": "string"},
        "frame": {"anyOf": [{"type": "null"}, FRAME_SCHEMA]},
    },
}
"""JSON schema of a control tick."""

NOTE_SCHEMA: dict[str, Any] = {"type": "object", "title": "Note", "properties": {"kind": {"type": "string"}}}
"""JSON schema of a note: whatever else a reader needs to drive the session again."""


class FrameLog:
    """One session's log. Every method may be called from any thread and returns at once."""

    FLUSH_S = 0.5
    """At most so much is lost when the process is killed."""
    MOST_WAITING = 20_000
    """Messages that wait for the disk before new ones are dropped: minutes of a session."""

    def __init__(self, path: Path, meta: Mapping[str, str] | None = None) -> None:
        """Begin a new log.

        Args:
            path: Where; an older file is replaced.
            meta: What the session was: task, seed, versions.
        """
        self.dropped = 0
        """Messages that the disk was too slow for."""
        self.error: str | None = None
        """Why nothing is written any more, such as a full disk; None while all is well."""
        self.path = path
        """Where it is written."""
        self._waiting: queue.Queue[tuple[str, int, Any] | None] = queue.Queue(self.MOST_WAITING)
        self._stream = path.open("wb")
        self._writer = Writer(self._stream, compression=CompressionType.ZSTD)
        self._writer.start(profile="", library="apprentice")
        self._schemas = {
            name: self._writer.register_schema(name, "jsonschema", json.dumps(schema).encode())
            for name, schema in (("TeleopFrame", FRAME_SCHEMA), ("Tick", TICK_SCHEMA), ("Note", NOTE_SCHEMA))
        }
        self._channels: dict[str, int] = {}
        self._writer.add_metadata("session", {str(key): str(value) for key, value in (meta or {}).items()})
        self._writer.flush()
        self._thread = threading.Thread(target=self._run, name="teleop-log", daemon=True)
        self._closed = False
        self._thread.start()

    def frame(self, source: str, frame: TeleopFrame) -> None:
        """A frame arrived."""
        self._put(f"/frames/{source}", frame)

    def tick(
        self,
        episode: int,
        frame: TeleopFrame | None,
        lost: str = "",
        *,
        state: str = "",
        time_s: float | None = None,
    ) -> None:
        """A control step begins.

        Args:
            episode: Number or seed of the episode, those that are discarded too.
            frame: What the operators' source gave.
            lost: Why it does not move the robot, in words; empty if it may.
            state: The episode's.
            time_s: On the clock of the frames; None is now.
        """
        self._put("/ticks", (episode, time.monotonic() if time_s is None else time_s, state, lost, frame))

    def note(self, kind: str, **what: Any) -> None:
        """Something else that a reader needs, JSON-able: an episode's seed, a demo's name.

        Args:
            kind: Such as "episode" or "saved".
            what: The rest.
        """
        self._put("/notes", {"kind": kind, **what})

    def close(self) -> None:
        """Write what waits, and end the file. Doing so twice does nothing."""
        if self._closed:
            return
        self._closed = True
        self._waiting.put(None)
        self._thread.join(timeout=10.0)

    def _put(self, topic: str, message: Any) -> None:
        if self._closed:
            return
        try:
            self._waiting.put_nowait((topic, time.time_ns(), message))
        except queue.Full:
            self.dropped += 1

    def _run(self) -> None:
        try:
            self._write_all()
        except OSError as error:
            self.error = error.strerror or str(error)
        finally:
            with contextlib.suppress(OSError):
                self._stream.close()

    def _write_all(self) -> None:
        flushed = time.monotonic()
        while True:
            try:
                item = self._waiting.get(timeout=self.FLUSH_S)
            except queue.Empty:
                item = ()
            if item is None:
                break
            if item:
                self._write(*item)
            if time.monotonic() - flushed >= self.FLUSH_S:
                flushed = time.monotonic()
                self._writer.flush()
        self._writer.finish()

    def _write(self, topic: str, time_ns: int, message: Any) -> None:
        if topic == "/ticks":
            episode, time_s, state, lost, frame = message
            body = {"time_s": time_s, "episode": episode, "state": str(state), "lost": lost}
            body["frame"] = None if frame is None else frame_to_json(frame)
        else:
            body = frame_to_json(message) if isinstance(message, TeleopFrame) else message
        if topic not in self._channels:
            schema = {"/ticks": "Tick", "/notes": "Note"}.get(topic, "TeleopFrame")
            self._channels[topic] = self._writer.register_channel(topic, "json", self._schemas[schema])
        data = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
        self._writer.add_message(self._channels[topic], log_time=time_ns, publish_time=time_ns, data=data)


def new_log(demos: Path, meta: Mapping[str, str] | None = None) -> FrameLog:
    """Begin the log of another session beside a demo file: `demos.frames.mcap`, `demos.frames-2.mcap`, ...

    Args:
        demos: The demo file.
        meta: What the session was.
    """
    number = 1
    while (path := demos.with_name(f"{demos.stem}.frames{'' if number == 1 else f'-{number}'}.mcap")).exists():
        number += 1
    return FrameLog(path, meta)
