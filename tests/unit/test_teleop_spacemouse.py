"""A SpaceMouse drives through pyspacemouse as it is; only the system's HID library is stood in for.

Every scene runs in a process of its own, as the library is loaded once.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_hid import build_library

HERE = Path(__file__).parent

SCENE = """
import json, os, sys, threading, time
from apprentice.teleop.sources.spacemouse import SpaceMouse
from fake_hid import FakeSpaceMouse

folder = os.environ["FAKE_HID_DIR"]

def Device(*args, **more):
    return FakeSpaceMouse(folder, *args, **more)

def wait(condition, what, seconds=10.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited in vain until {what}"
        time.sleep(0.002)

def hand(source, eef="arm"):
    frame = source.latest()
    return frame.hands.get(eef) if frame else None

def moves(source, place, sign, eef="arm"):
    def look():
        seen = hand(source, eef)
        if seen is None:
            return False
        rest = [value for i, value in enumerate(seen.twist) if i != place]
        return sign * seen.twist[place] > 0 and not any(rest)
    return look

def still(source, eef="arm"):
    return lambda: (seen := hand(source, eef)) is not None and not seen.twist.any()
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lib")
    build_library(folder)
    return folder


@pytest.fixture
def play(library, tmp_path):
    def run(scene, **env):
        (tmp_path / "hid").mkdir(exist_ok=True)
        paths = f"{HERE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        fake = {"FAKE_HID_DIR": str(tmp_path / "hid"), "LD_LIBRARY_PATH": str(library), "PYTHONPATH": paths}
        environment = os.environ | fake | env
        command = [sys.executable, "-c", SCENE + scene]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")

    return run


def test_every_axis_moves_the_hand_as_the_cap_is_moved(play):
    play("""
device = Device()
source = SpaceMouse("arm")
source.start()
wait(lambda: source.devices()[0].connected, "it is connected")
# push right, towards the operator, down; about these: the hand moves along x forward, y left, z up
for push, place, sign in (((300, 0, 0), 1, -1), ((0, 300, 0), 0, -1), ((0, 0, 300), 2, -1), ((0, -300, 0), 0, 1)):
    device.push(*push)
    wait(moves(source, place, sign), f"push {push} moves along {place}")
    device.push(0, 0, 0)
    wait(still(source), "it rests")
for turn, place, sign in (((300, 0, 0), 4, -1), ((0, 300, 0), 3, -1), ((0, 0, 300), 5, -1)):
    device.turn(*turn)
    wait(moves(source, place, sign), f"turn {turn} turns about {place}")
    device.turn(0, 0, 0)
    wait(still(source), "it rests")
source.stop()
""")


def test_a_strong_push_is_full_speed_and_no_more_and_a_touch_is_none(play):
    speeds = play("""
device = Device()
source = SpaceMouse("arm")
source.start()
wait(lambda: source.devices()[0].connected, "it is connected")
device.push(0, -32000, 0)
wait(moves(source, 0, 1), "it moves")
strong = hand(source).twist[0]
device.push(0, -350, 0)
time.sleep(0.1)
full = hand(source).twist[0]
device.push(0, -15, 12)
wait(still(source), "a touch moves nothing")
print(json.dumps([strong, full]))
source.stop()
""")
    assert speeds[0] == speeds[1] > 0


def test_letting_go_is_seen_at_once_after_two_seconds_of_reports(play):
    seen = play("""
device = Device()
source = SpaceMouse("arm")
source.start()
wait(lambda: source.devices()[0].connected, "it is connected")
begin = time.monotonic()
count = 0
while time.monotonic() - begin < 2.0:  # 125 Hz of two reports each, as the device sends them
    device.push(0, -300 - count % 2, 0)
    device.turn(0, 0, 0)
    count += 1
    time.sleep(max(0.0, begin + count / 125 - time.monotonic()))
assert moves(source, 0, 1)()
device.push(0, 0, 0)
released = time.monotonic()
wait(still(source), "it rests")
print(json.dumps({"reports": 2 * count, "seconds": time.monotonic() - released}))
source.stop()
""")
    assert seen["reports"] > 100
    assert seen["seconds"] < 1.0  # one report per look would take longer than the session


def test_a_queue_that_ran_over_counts_as_a_released_cap_until_it_speaks_again(play):
    found = play("""
from apprentice.teleop.sources.spacemouse_hid import SpaceMouseReader
device, reader, found = Device(), SpaceMouseReader(), []
wait(lambda: reader.read() is not None, "it is connected")
for reports in (62, 63, 1):  # the kernel keeps 63, the oldest, and a release may be among those that are lost
    for _ in range(reports):
        device.push(0, -300, 0)
    found.append(bool(reader.read().axes.any()))
print(json.dumps(found))
""")
    assert found == [True, False, True]


def test_left_toggles_the_gripper_and_right_starts_or_pauses_once_per_press(play):
    found = play("""
device = Device()
source = SpaceMouse("arm")
source.start()
wait(lambda: source.devices()[0].connected, "it is connected")
grips, events = [], []
for mask in (1, 0, 1, 0, 2, 2, 0):
    before = source.latest()
    device.buttons(mask)
    time.sleep(0.1)
    frame = source.latest()
    grips.append(frame.hands["arm"].grip)
    events += frame.events
source.sync({"arm": 1.0})
time.sleep(0.1)
print(json.dumps([grips, events, hand(source).grip]))
source.stop()
""")
    assert found == [[1, 1, 0, 0, 0, 0, 0], ["toggle"], 1]


def test_an_unplugged_device_falls_silent_and_goes_on_when_plugged_in_again(play):
    ages = play("""
device = Device()
source = SpaceMouse("arm")
source.start()
wait(lambda: source.devices()[0].connected, "it is connected")
device.push(0, -300, 0)
wait(moves(source, 0, 1), "it moves")
device.unplug()
wait(lambda: not source.devices()[0].connected, "it is gone")
detail = source.devices()[0].detail
last = source.latest().time_s
time.sleep(0.3)
silent = time.monotonic() - source.latest().time_s
same = source.latest().time_s == last
device = Device("256f-c635-b")
wait(lambda: source.devices()[0].connected, "it is back")
wait(lambda: source.latest().time_s > last, "it is heard")
fresh = hand(source).twist.any()
device.push(300, 0, 0)
wait(moves(source, 1, -1), "it moves again")
print(json.dumps([silent, same, bool(fresh), detail]))
source.stop()
""")
    silent, same, moved, detail = ages
    assert silent > 0.2 and same and not moved
    assert "unplugged" in detail or "no SpaceMouse" in detail


def test_two_devices_of_the_same_model_drive_one_arm_each_by_their_paths(play):
    play("""
from apprentice.teleop.sources.open import open_sources
left, right = Device("256f-c635-a"), Device("256f-c635-b")
words = [f"right_arm=spacemouse:{right.path}", f"left_arm=spacemouse:{left.path}"]
opened = open_sources(words, ["left_arm", "right_arm"])
source = opened.source
source.start()
wait(lambda: all(status.connected for status in source.devices()), "both are connected")
left.push(0, -300, 0)
wait(moves(source, 0, 1, "left_arm"), "the left arm moves")
assert still(source, "right_arm")()
right.push(300, 0, 0)
wait(moves(source, 1, -1, "right_arm"), "the right arm moves")
assert moves(source, 0, 1, "left_arm")()
left.push(0, 0, 0)
wait(still(source, "left_arm"), "the left arm stands")
left.unplug()
time.sleep(0.4)
frame = source.latest()
assert frame is None or time.monotonic() - frame.time_s > 0.2, "one that is lost stops both"
source.stop()
""")


def test_of_a_receiver_with_several_interfaces_the_one_that_speaks_is_heard(play):
    play("""
import struct
silent, speaks = Device("256f-c652-a"), Device("256f-c652-b")
source = SpaceMouse("arm")
source.start()
wait(lambda: source.devices()[0].connected, "it is connected")
speaks.say(1, *struct.pack("<6h", 0, -300, 0, 0, 0, 0))
wait(moves(source, 0, 1), "it moves")
source.stop()
""")


def test_a_device_that_may_not_be_read_says_what_to_do(play):
    detail = play("""
device = Device(mode=0)
source = SpaceMouse("arm")
source.start()
wait(lambda: device.path.name in (detail := source.devices()[0].detail), "it says what is wrong")
print(json.dumps(source.devices()[0].detail))
source.stop()
""")
    assert "256f-c635-a" in detail


def test_the_library_that_is_missing_is_named_with_its_package(tmp_path):
    code = """
from apprentice.errors import UserError
from apprentice.teleop.sources.spacemouse import SpaceMouse
try:
    SpaceMouse("arm")
except UserError as error:
    print(error)
"""
    (tmp_path / "libhidapi-hidraw.so.0").write_bytes(b"no library")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "libhidapi-hidraw0" in done.stdout, done.stderr


def test_nothing_is_printed_by_the_library(play):
    assert (
        play("""
device = Device()
source = SpaceMouse("arm")
source.start()
wait(lambda: source.devices()[0].connected, "it is connected")
source.stop()
print(json.dumps("only this"))
""")
        == "only this"
    )
