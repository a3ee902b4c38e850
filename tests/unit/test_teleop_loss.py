"""A page, or a forwarded device, that is lost and back between two control steps still stops the robot."""

import time

import pytest

from apprentice.teleop.frame import Command
from apprentice.teleop.sources.open import open_sources

STALE_S = 0.2


def pressed(t, *keys):
    settings = {"speed": 1.0, "command_frame": "base", "operator_yaw_deg": 0, "camera": ""}
    about = {"type": "input", "seq": 1, "t": t, "visible": True, "held": [], "pads": [], "xr": None}
    return about | {"keys": list(keys), "settings": settings}


def pushed(t):
    return {"type": "device", "device": "spacemouse", "seq": 1, "t": t, "twist": [1, 0, 0, 0, 0, 0], "buttons": [0, 0]}


def look(source):
    frame = source.latest()
    assert frame is not None
    return frame


def age(frame):
    return time.monotonic() - frame.time_s


@pytest.mark.parametrize(
    ("word", "receiver", "message"),
    [
        ("keyboard", "page", lambda t: pressed(t, "KeyW")),
        ("spacemouse@remote", "spacemouse", pushed),
    ],
)
def test_whoever_comes_in_between_two_looks_does_not_drive_on(word, receiver, message):
    opened = open_sources([word], ["arm"])
    sender = opened.receivers[receiver]
    sender.receive(message(1000.0), time.monotonic())
    assert look(opened.source).hands["arm"].twist[0] > 0
    sender.lost("somebody else drives")
    sender.receive(message(70.0), time.monotonic())
    gone = look(opened.source)
    assert age(gone) > STALE_S and not any(hand.twist.any() for hand in gone.hands.values())
    assert age(look(opened.source)) < STALE_S  # the loop has paused by then


def test_what_was_asked_for_before_or_after_a_short_loss_is_not_forgotten():
    opened = open_sources(["keyboard"], ["arm"])
    opened.page.receive(pressed(1000.0), time.monotonic())
    opened.page.receive({"type": "command", "name": "mark"}, time.monotonic())
    opened.page.lost("somebody else drives")
    opened.page.receive(pressed(70.0), time.monotonic())
    opened.page.receive({"type": "command", "name": "save"}, time.monotonic())
    gone = look(opened.source)
    assert age(gone) > STALE_S and gone.events == (Command.MARK, Command.SAVE)
    assert look(opened.source).events == ()
