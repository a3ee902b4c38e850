"""Sources hand out the newest frame, and never lose what the operator asked for."""

import itertools
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from apprentice.teleop.frame import Command, TeleopFrame
from apprentice.teleop.sources.base import Mailbox, ThreadedSource, View
from apprentice.teleop.sources.replay import FrameReplay

relaxed = settings(max_examples=50)

events = st.lists(st.sampled_from(list(Command)), max_size=2).map(tuple)


@relaxed
@given(st.lists(st.one_of(st.none(), events), max_size=30))
def test_every_event_arrives_once_and_in_order_however_often_frames_are_taken(script):
    mailbox, sent, received = Mailbox(), [], []
    for number, step in enumerate(script):
        if step is None:  # the reader comes by
            frame = mailbox.take()
            received += frame.events if frame else ()
        else:
            sent += step
            mailbox.put(TeleopFrame(time_s=float(number), events=step))
    last = mailbox.take()
    received += last.events if last else ()
    assert received == sent


def test_the_newest_frame_is_kept_and_stays():
    mailbox = Mailbox()
    assert mailbox.take() is None
    for time_s in (1.0, 2.0, 3.0):
        mailbox.put(TeleopFrame(time_s=time_s))
    assert [mailbox.take().time_s for _ in range(2)] == [3.0, 3.0]


class Counter(ThreadedSource):
    """A device that says how often it was read."""

    def __init__(self):
        super().__init__("counter")
        self.readings = itertools.count()
        self.enough = threading.Event()
        self.given_back = threading.Event()

    def read(self):
        number = next(self.readings)
        if number > 1000:
            self.enough.set()
        return TeleopFrame(time_s=float(number))

    def close(self):
        self.given_back.set()


def test_a_device_that_is_faster_than_the_loop_shows_its_newest_reading_and_is_given_back():
    source = Counter()
    assert source.latest() is None
    source.start()
    assert source.enough.wait(10)
    assert source.latest().time_s >= 1000
    source.stop()
    assert source.given_back.wait(10)
    last = source.latest().time_s
    assert source.latest().time_s == last
    source.stop()


@relaxed
@given(gaps=st.lists(st.floats(0.001, 0.3), min_size=1, max_size=20), start=st.floats(0, 1e4), dt=st.floats(0.01, 0.1))
def test_replayed_frames_come_in_order_none_before_its_time_and_all_events_arrive(gaps, start, dt):
    times = list(itertools.accumulate(gaps))
    frames = [TeleopFrame(time_s=time, events=(Command.SAVE,)) for time in times]
    source = FrameReplay(frames)
    source.start()
    view, seen, count = View(eef_poses={}, object_poses={}), [], 0
    for tick in range(int((times[-1] - times[0]) / dt) + 3):
        now = start + tick * dt
        source.advance(now, view)
        frame = source.latest()
        if frame is not None:
            assert frame.time_s <= now + 1e-6
            seen.append(frame.time_s)
            count += len(frame.events)
    assert seen == sorted(seen)
    assert count == len(frames)
