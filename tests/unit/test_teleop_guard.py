"""Frames that no hand can have made are noticed, those of people are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from apprentice.teleop.frame import Hand, TeleopFrame
from apprentice.teleop.guard import FrameGuard

relaxed = settings(max_examples=50)


def frame(time_s, at=(0.0, 0.0, 0.0), turn=(0.0, 0.0, 0.0), **hand):
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    pose[:3, 3] = at
    return TeleopFrame(time_s=time_s, hands={"arm": Hand(**({"pose": pose, "engaged": True} | hand))})


@relaxed
@given(
    speed=st.floats(0, 3),
    spin=st.floats(0, 10),
    gaps=st.lists(st.floats(0.005, 0.09), min_size=1, max_size=30),
    heading=st.floats(0, 6.28),
)
def test_the_hands_of_people_pass_at_any_rate_of_frames(speed, spin, gaps, heading):
    guard, time_s = FrameGuard(), 5.0
    for gap in [0.0, *gaps]:
        time_s += gap
        way = speed * time_s * np.array((np.cos(heading), np.sin(heading), 0))
        one = frame(time_s, way, (0, 0, spin * time_s))
        assert guard.problem(one, now_s=time_s + 0.01) is None
        assert guard.problem(one, now_s=time_s + 0.02) is None  # nothing new has come


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (frame(1.02, (0.5, 0, 0)), "jumped by 0.50 m"),
        (frame(1.01, (0.2, 0, 0)), "jumped by 0.20 m"),
        (frame(1.02, turn=(0, 3.0, 0)), "turned by 3.00 rad"),
        (frame(0.5), "time went back by 0.500 s"),
        (frame(9.0), "yet to come"),
        (frame(np.nan), "finite time"),
        (frame(1.02, tracked=False), "not tracked"),
        (frame(1.02, twist=np.full(6, np.nan)), "finite twist"),
        (frame(1.02, pose=np.full((4, 4), np.nan)), "rigid pose"),
    ],
)
def test_what_no_hand_does_is_said_in_words(second, words):
    guard = FrameGuard()
    assert guard.problem(frame(1.0), now_s=1.0) is None
    assert words in (guard.problem(second, now_s=1.05) or "")


def test_a_hand_may_be_anywhere_when_the_clutch_takes_hold_and_after_it_jumped_it_goes_on_from_there():
    guard = FrameGuard()
    guard.problem(frame(1.0, engaged=False))
    assert guard.problem(frame(1.02, (2, 0, 0))) is None
    assert guard.problem(frame(1.04, (0, 0, 0))) is not None
    assert guard.problem(frame(1.06, (0, 0, 0))) is None
    guard.reset()
    assert guard.problem(frame(0.1, (5, 5, 5))) is None
