"""Several devices as one operator: who moves what, and what happens when one falls silent."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apprentice.errors import UserError
from apprentice.teleop.frame import REWIND, Command, CommandFrame, Hand, TeleopFrame
from apprentice.teleop.grips import LastChanged
from apprentice.teleop.sources.base import DeviceStatus, LiveSource, Mailbox
from apprentice.teleop.sources.combined import Combined, together
from apprentice.teleop.sources.open import Word, open_sources, parse_word

relaxed = settings(max_examples=50)

twists = arrays(np.float64, 6, elements=st.floats(-1, 1))


class Device:
    """Says what it is told to say."""

    def __init__(self, eef="arm"):
        self.eef, self.mailbox, self.grips = eef, Mailbox(), {}
        self.running = False

    def start(self):
        self.running = True

    def stop(self):
        self.running = False

    def latest(self):
        return self.mailbox.take()

    def sync(self, grips):
        self.grips = grips

    def devices(self):
        return [DeviceStatus(name=self.eef, connected=True, age_s=0.0)]

    def say(self, x=0.0, grip=0.0, age=0.0, **frame):
        hand = Hand(twist=np.array((x, 0, 0, 0, 0, 0)), grip=grip)
        self.mailbox.put(TeleopFrame(time_s=time.monotonic() - age, hands={self.eef: hand}, **frame))


def usable(frame):
    return frame is not None and time.monotonic() - frame.time_s <= 0.2


def test_it_is_a_live_source_and_passes_on_to_all():
    devices = Device("left"), Device("right")
    both = Combined(devices)
    assert isinstance(both, LiveSource)
    both.start()
    both.sync({"left": 1.0})
    assert all(device.running and device.grips == {"left": 1.0} for device in devices)
    assert [status.name for status in both.devices()] == ["left", "right"]
    both.stop()
    assert not any(device.running for device in devices)


def test_devices_on_one_arm_add_up_and_on_two_arms_do_not_mix():
    one, two, other = Device(), Device(), Device("other")
    both = Combined([one, two, other])
    one.say(0.2, buttons=frozenset({REWIND}))
    two.say(-0.1)
    other.say(0.3)
    frame = both.latest()
    assert frame.hands["arm"].twist[0] == pytest.approx(0.1)
    assert frame.hands["other"].twist[0] == pytest.approx(0.3)
    assert frame.buttons == {REWIND}


@relaxed
@given(st.lists(twists, min_size=1, max_size=4))
def test_together_they_are_no_faster_than_the_fastest(several):
    total = together(several)
    for part in (slice(0, 3), slice(3, 6)):
        assert np.linalg.norm(total[part]) <= max(np.linalg.norm(twist[part]) for twist in several) + 1e-9
    if len(several) == 1:
        np.testing.assert_array_equal(total, several[0])


def test_events_of_all_arrive_once():
    one, two = Device(), Device()
    both = Combined([one, two])
    one.say(events=(Command.MARK,))
    two.say(events=(Command.SAVE, Command.UNDO))
    assert sorted(both.latest().events) == sorted((Command.MARK, Command.SAVE, Command.UNDO))
    assert both.latest().events == ()


def test_nobody_has_been_heard_yet():
    assert Combined([Device(), Device()]).latest() is None


def test_a_device_that_was_never_heard_stops_nobody_and_joins_when_it_is():
    page, mouse = Device(), Device()
    both = Combined([page, mouse])
    mouse.say(0.1)
    assert usable(both.latest())
    page.say(0.2)
    mouse.say(0.1)
    assert both.latest().hands["arm"].twist[0] == pytest.approx(0.2)


def test_one_that_falls_silent_stops_the_robot_until_the_operator_goes_on_without_it():
    page, mouse = Device(), Device()
    both = Combined([page, mouse])
    page.say()
    mouse.say(0.3)
    assert usable(both.latest())
    mouse.say(0.3, age=0.25)
    page.say(0.1)
    frame = both.latest()
    assert not usable(frame) and not frame.hands
    page.say(0.1, events=(Command.MARK,))
    assert not usable(frame := both.latest()) and frame.events == (Command.MARK,)
    page.say(0.1, events=(Command.START,))
    frame = both.latest()
    assert usable(frame) and frame.events == (Command.START,) and frame.hands["arm"].twist[0] == pytest.approx(0.1)
    mouse.say(0.3)
    page.say()
    assert both.latest().hands["arm"].twist[0] == pytest.approx(0.3)
    mouse.say(age=0.3)
    assert not usable(both.latest())


def test_the_first_sources_settings_hold_for_all_and_stay_when_it_is_gone():
    page, mouse = Device(), Device()
    both = Combined([page, mouse])
    page.say(command_frame=CommandFrame.WORLD, operator_yaw_rad=3.0, axes={"speed": 0.5})
    mouse.say(0.2)
    frame = both.latest()
    assert (frame.command_frame, frame.operator_yaw_rad) == (CommandFrame.WORLD, 3.0)
    assert frame.hands["arm"].twist[0] == pytest.approx(0.1)
    page.say(age=1.0)
    mouse.say(0.2, events=(Command.TOGGLE,))
    frame = both.latest()
    assert usable(frame) and frame.operator_yaw_rad == 3.0 and frame.hands["arm"].twist[0] == pytest.approx(0.1)


def test_time_never_goes_back_when_a_device_joins():
    page, mouse = Device(), Device()
    both = Combined([page, mouse])
    page.say()
    first = both.latest().time_s
    mouse.say(age=0.1)
    assert both.latest().time_s >= first


def test_a_lost_hand_is_lost_for_all():
    page, mouse = Device(), Device()
    both = Combined([page, mouse])
    mouse.say()
    hand = Hand(pose=np.eye(4), tracked=False)
    page.mailbox.put(TeleopFrame(time_s=time.monotonic(), hands={"arm": hand}))
    assert not both.latest().hands["arm"].tracked


def test_the_gripper_is_whose_hand_changed_it_last():
    grips = LastChanged()
    assert grips.update({"keys": 0.0, "trigger": 0.0}) == 0
    assert grips.update({"keys": 1.0, "trigger": 0.0}) == 1
    assert grips.update({"keys": 1.0, "trigger": 0.01}) == 1  # noise
    assert grips.update({"keys": 1.0, "trigger": 0.6}) == 0.6
    assert grips.update({"keys": 1.0, "trigger": 0.61}) == 0.61
    assert grips.update({"keys": 0.0, "trigger": 0.61}) == 0
    assert grips.update({"keys": 0.0, "trigger": 0.61, "late": 1.0}) == 0
    grips.sync(1.0)
    assert grips.update({"keys": 0.0, "trigger": 0.61, "late": 1.0}) == 1


# words


def test_words_name_devices_arms_and_paths():
    eefs = ["left", "right"]
    assert parse_word("keyboard", eefs) == Word(device="keyboard")
    assert parse_word("left=spacemouse:/dev/hidraw1", eefs) == Word(
        device="spacemouse", eef="left", path="/dev/hidraw1"
    )
    assert parse_word("spacemouse@remote", eefs) == Word(device="spacemouse@remote")


@pytest.mark.parametrize(
    "word", ["", "mouse", "spacemouse:", "keyboard:/dev/x", "spacemouse@server", "middle=keyboard", "=xr", "left="]
)
def test_a_word_that_means_nothing_is_refused_by_name(word):
    with pytest.raises(UserError, match="Expected") as caught:
        parse_word(word, ["left", "right"])
    assert f'"{word}"' in str(caught.value)


@pytest.mark.parametrize("words", [[], ["xr", "xr"], ["spacemouse@remote", "left=spacemouse@remote"]])
def test_devices_that_make_no_sense_together_are_refused(words):
    with pytest.raises(UserError, match="Expected"):
        open_sources(words, ["left", "right"])


def test_a_page_is_always_there_and_drives_only_what_it_was_given():
    opened = open_sources(["left=keyboard", "right=spacemouse@remote"], ["left", "right"])
    assert set(opened.receivers) == {"page", "spacemouse"}
    heard = []
    opened.listen(lambda name, frame: heard.append(name))
    now = time.monotonic()
    opened.receivers["page"].receive({"type": "input", "t": 1000 * now, "keys": ["KeyW", "Tab"]}, now)
    reading = {"type": "device", "t": 1000 * now, "twist": [1, 0, 0, 0, 0, 0], "buttons": [0, 0]}
    opened.receivers["spacemouse"].receive(reading, now)
    hands = opened.source.latest().hands
    assert hands["left"].twist[0] > 0 and hands["right"].twist[0] > 0
    assert heard == ["page", "spacemouse@remote"]
    assert {row["does"] for row in opened.bindings} >= {"forward / back", "start / go on", "start / pause"}
    assert [status.name for status in opened.source.devices()] == ["keyboard", "spacemouse@remote"]


def test_a_page_that_drives_nothing_still_gives_commands():
    opened = open_sources(["spacemouse@remote"], ["arm"])
    now = time.monotonic()
    opened.receivers["page"].receive({"type": "input", "t": 1000 * now, "keys": ["KeyW", "Enter"]}, now)
    frame = opened.source.latest()
    assert frame.events == (Command.START,) and not frame.hands


def test_a_forwarded_device_whose_sender_is_gone_is_not_usable_and_moves_again_when_back():
    opened = open_sources(["spacemouse@remote"], ["arm"])
    mouse = opened.receivers["spacemouse"]
    reading = {"type": "device", "twist": [1, 0, 0, 0, 0, 0], "buttons": [1, 0]}
    now = time.monotonic()
    mouse.receive(reading | {"t": 5.0}, now)
    assert usable(opened.source.latest()) and opened.source.latest().hands["arm"].grip == 1
    mouse.lost("closed")
    assert not usable(opened.source.latest())
    assert opened.source.devices()[0].detail == "closed"
    mouse.receive(reading | {"t": 1.0}, time.monotonic())
    assert usable(opened.source.latest())
    with pytest.raises(ValueError, match="twist"):
        mouse.receive({"type": "device", "t": 2.0, "twist": [1, 2, 3]}, time.monotonic())
