"""Reads what `log` wrote, also where the writer was killed in the middle."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apprentice.errors import UserError
from apprentice.teleop.frame import TeleopFrame
from apprentice.teleop.frame_json import frame_from_json

_TOPICS = ("/ticks", "/notes", "/frames/")
"""What is read; MCAP files of others hold other things."""

_MAGIC = b"\x89MCAP0\r\n"
"""How MCAP files begin."""


@dataclass(kw_only=True, frozen=True)
class Tick:
    """One control step of a session."""

    time_s: float
    """On the clock of the frames."""
    frame: TeleopFrame | None
    """What the operators' source gave."""
    lost: str = ""
    """Why it did not move the robot, in words; empty if it might."""
    state: str = ""
    """The episode's."""


@dataclass(kw_only=True)
class LoggedEpisode:
    """One episode of a session."""

    number: int
    """Number or seed, as it was written."""
    ticks: list[Tick] = field(default_factory=list[Tick])
    notes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Those written with this `episode`."""


@dataclass(kw_only=True)
class LoggedSession:
    """What operators did in one session."""

    meta: dict[str, str] = field(default_factory=dict[str, str])
    episodes: list[LoggedEpisode] = field(default_factory=list[LoggedEpisode])
    """In the order in which they began."""
    frames: dict[str, list[TeleopFrame]] = field(default_factory=dict[str, list[TeleopFrame]])
    """All that arrived, by source, in the order of arrival."""
    notes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    complete: bool = False
    """Whether the writer ended the file itself."""


def read_session(path: Path) -> LoggedSession:
    """Read a session's log.

    Raises:
        UserError: If it can't be read, or is no such log.
    """
    session = LoggedSession()
    episodes: dict[int, LoggedEpisode] = {}
    try:
        for topic, message in _messages(path, session):
            if topic == "/ticks":
                number, frame = message["episode"], message["frame"]
                episodes.setdefault(number, LoggedEpisode(number=number)).ticks.append(
                    Tick(
                        time_s=message["time_s"],
                        lost=message["lost"],
                        state=message["state"],
                        frame=None if frame is None else frame_from_json(frame),
                    )
                )
            elif topic == "/notes":
                session.notes.append(message)
                if isinstance(number := message.get("episode"), int):
                    episodes.setdefault(number, LoggedEpisode(number=number)).notes.append(message)
            elif topic.startswith("/frames/"):
                session.frames.setdefault(topic.removeprefix("/frames/"), []).append(frame_from_json(message))
    except OSError as error:
        raise UserError(f"Expected a session's log in {path}, but it can't be read: {error.strerror}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"Expected {path} to be a log of teleoperation frames, found: {error!r}.") from error
    session.episodes = list(episodes.values())
    return session


def _messages(path: Path, session: LoggedSession) -> Iterator[tuple[str, Any]]:
    """Topics and messages in the order of writing, up to where the file was cut off."""
    import zstandard
    from mcap.exceptions import McapError
    from mcap.records import Channel, Footer, Message, Metadata
    from mcap.stream_reader import StreamReader

    topics: dict[int, str] = {}
    with path.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise UserError(f"Expected {path} to be a log of teleoperation frames, found no MCAP file.")
        stream.seek(0)
        records = StreamReader(stream, emit_chunks=False).records
        while True:
            try:
                record = next(records)
            except (StopIteration, McapError, EOFError, ValueError, struct.error, zstandard.ZstdError):
                return  # the writer was killed here
            if isinstance(record, Channel):
                topics[record.id] = record.topic
            elif isinstance(record, Metadata):
                session.meta |= record.metadata
            elif isinstance(record, Message) and topics[record.channel_id].startswith(_TOPICS):
                yield topics[record.channel_id], json.loads(record.data)
            elif isinstance(record, Footer):
                session.complete = True
