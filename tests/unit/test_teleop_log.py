"""What operators did can be read back to the last bit, also after the process was killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mcap.reader import make_reader

from apprentice.errors import UserError
from apprentice.teleop.frame import Command, CommandFrame, Hand, TeleopFrame
from apprentice.teleop.frame_json import frame_from_json, frame_to_json
from apprentice.teleop.log import FrameLog, new_log
from apprentice.teleop.read_log import Tick, read_session
from apprentice.teleop.sources.base import View
from apprentice.teleop.sources.replay import TickReplay

relaxed = settings(max_examples=50)

any_float = st.floats(allow_nan=True, allow_infinity=True)
names = st.text(max_size=5)
hands = st.builds(
    Hand,
    twist=arrays(np.float64, 6, elements=any_float),
    pose=st.none() | arrays(np.float64, (4, 4), elements=any_float),
    tracked=st.booleans(),
    engaged=st.booleans(),
    grip=any_float,
    joints=st.dictionaries(names, st.tuples(any_float, any_float, any_float), max_size=2),
)
frames = st.builds(
    TeleopFrame,
    time_s=any_float,
    hands=st.dictionaries(names, hands, max_size=2),
    buttons=st.frozensets(names, max_size=2),
    axes=st.dictionaries(names, any_float, max_size=2),
    events=st.lists(st.sampled_from(list(Command)), max_size=3).map(tuple),
    command_frame=st.sampled_from(list(CommandFrame)),
    operator_yaw_rad=any_float,
)


def bits(frame):
    """Everything in a frame, with floats as their bytes, so that all NaN are equal and 0.0 differs from -0.0."""

    def as_bytes(value):
        return None if value is None else np.where(np.isnan(value), np.nan, value).astype(np.float64).tobytes()

    by_name = lambda values: {name: as_bytes(value) for name, value in values.items()}  # noqa: E731
    return (
        as_bytes(frame.time_s),
        {
            name: (as_bytes(h.twist), as_bytes(h.pose), h.tracked, h.engaged, as_bytes(h.grip), by_name(h.joints))
            for name, h in frame.hands.items()
        },
        (frame.buttons, frame.events, frame.command_frame),
        by_name(frame.axes),
        as_bytes(frame.operator_yaw_rad),
    )


@relaxed
@given(frames)
def test_a_frame_comes_back_to_the_last_bit_whatever_is_in_it(frame):
    text = json.dumps(frame_to_json(frame), allow_nan=False)
    assert bits(frame_from_json(json.loads(text))) == bits(frame)


def moving(number):
    hand = Hand(twist=np.full(6, number / 7), grip=float(number % 2))
    return TeleopFrame(time_s=100 + number / 3, hands={"arm": hand}, events=(Command.MARK,) if number == 3 else ())


def test_a_session_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "session.mcap"
    log = FrameLog(path, {"task": "Some-Task"})
    for number in range(10):
        log.frame("page", moving(number))
        log.tick(number // 5, moving(number), "no page" if number == 8 else "", time_s=100.1 + number / 3)
    log.tick(2, None, state="paused", time_s=200.0)
    log.note("episode", episode=1, seed=17)
    log.close()
    log.close()
    log.frame("page", moving(99))  # a straggler after the end
    session = read_session(path)
    assert session.complete and session.meta == {"task": "Some-Task"}
    assert [bits(frame) for frame in session.frames["page"]] == [bits(moving(number)) for number in range(10)]
    assert [len(episode.ticks) for episode in session.episodes] == [5, 5, 1]
    assert session.episodes[1].notes == [{"kind": "episode", "episode": 1, "seed": 17}]
    assert [tick.lost for tick in session.episodes[1].ticks] == ["", "", "", "no page", ""]
    assert session.episodes[1].ticks[2].time_s == 100.1 + 7 / 3
    assert bits(session.episodes[1].ticks[2].frame) == bits(moving(7))
    assert session.episodes[2].ticks == [Tick(time_s=200.0, state="paused", frame=None)]


def test_other_readers_of_mcap_understand_it(tmp_path):
    path = tmp_path / "session.mcap"
    log = FrameLog(path)
    log.frame("page", moving(1))
    log.close()
    with path.open("rb") as stream:
        ((schema, channel, message),) = make_reader(stream).iter_messages()
    assert (schema.name, schema.encoding) == ("TeleopFrame", "jsonschema")
    assert (channel.topic, channel.message_encoding) == ("/frames/page", "json")
    assert json.loads(message.data)["hands"]["arm"]["grip"] == 1.0


WRITER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_teleop_log import moving
from apprentice.teleop.log import FrameLog, new_log
log = FrameLog(Path(sys.argv[1]))
for number in range(100_000):
    log.tick(0, moving(number))
    print(number, flush=True)
    time.sleep(0.002)
"""


def test_a_killed_session_keeps_all_but_its_last_moment(tmp_path):
    path = tmp_path / "session.mcap"
    command = [sys.executable, "-c", WRITER, str(path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 100 and read_session(path).episodes:
                break
        process.send_signal(signal.SIGKILL)
    session = read_session(path)
    assert not session.complete
    ticks = session.episodes[0].ticks
    assert len(ticks) > 10
    assert [bits(tick.frame) for tick in ticks] == [bits(moving(number)) for number in range(len(ticks))]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_file_cut_off_anywhere_is_read_up_to_there(tmp_path, share):
    path = tmp_path / "session.mcap"
    log = FrameLog(path)
    for number in range(300):
        log.frame("page", moving(number))
        if number % 100 == 0:
            time.sleep(log.FLUSH_S)
    log.close()
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    read = read_session(path).frames.get("page", [])
    assert [bits(frame) for frame in read] == [bits(moving(number)) for number in range(len(read))]


@pytest.mark.parametrize("content", [b"", b"not an mcap file at all, not at all"])
def test_another_file_is_refused_with_its_name(tmp_path, content):
    path = tmp_path / "other.mcap"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"other\.mcap"):
        read_session(path)
    with pytest.raises(UserError, match=r"missing\.mcap"):
        read_session(tmp_path / "missing.mcap")


def test_every_session_beside_a_demo_file_gets_a_log_of_its_own(tmp_path):
    logs = [new_log(tmp_path / "demos.hdf5") for _ in range(3)]
    for log in logs:
        log.close()
    assert [log.path.name for log in logs] == ["demos.frames.mcap", "demos.frames-2.mcap", "demos.frames-3.mcap"]


def test_a_full_queue_drops_messages_and_never_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(FrameLog, "MOST_WAITING", 5)
    monkeypatch.setattr(FrameLog, "_write_all", lambda self: None)  # a disk that takes nothing
    log = FrameLog(tmp_path / "session.mcap")
    for number in range(20):
        log.frame("page", moving(number))
    assert log.dropped == 15


def test_a_replayed_session_gives_each_step_its_very_frame_and_time():
    ticks = [
        Tick(time_s=10.0, frame=None),
        Tick(time_s=10.25, frame=TeleopFrame(time_s=10.125, events=(Command.START,))),
        Tick(time_s=10.5, frame=TeleopFrame(time_s=10.125)),
    ]
    replay = TickReplay(ticks)
    replay.start()
    view, seen = View(eef_poses={}, object_poses={}), []
    for step in range(4):
        now = replay.time_s
        replay.advance(now, view)
        seen.append((now, replay.latest()))
        assert replay.done == (step >= 2)
    assert seen == [*((tick.time_s, tick.frame) for tick in ticks), (10.5, None)]
