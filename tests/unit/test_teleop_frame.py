"""Frames that must not move a robot are recognised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from apprentice.teleop.frame import Hand, TeleopFrame, problem
from apprentice.teleop.frame_json import frame_from_json, frame_to_json

relaxed = settings(max_examples=50)

finite = st.floats(-1e3, 1e3)


@relaxed
@given(twist=st.lists(finite, min_size=6, max_size=6), rotvec=st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_any_finite_twist_and_rigid_pose_may_move_the_robot(twist, rotvec):
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(rotvec).as_matrix()
    assert problem(TeleopFrame(time_s=0.0, hands={"arm": Hand(twist=np.array(twist), pose=pose)})) is None


@relaxed
@given(place=st.integers(0, 5), bad=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_a_twist_that_is_not_finite_is_refused_with_its_hand(place, bad):
    twist = np.zeros(6)
    twist[place] = bad
    assert "arm" in (problem(TeleopFrame(time_s=0.0, hands={"arm": Hand(twist=twist)})) or "")


@pytest.mark.parametrize(
    "pose", [np.full((4, 4), np.nan), np.zeros((4, 4)), 2 * np.eye(4), np.diag([1, 1, -1, 1.0]), np.eye(3)]
)
def test_a_pose_that_is_no_rigid_transform_is_refused(pose):
    assert "rigid" in (problem(TeleopFrame(time_s=0.0, hands={"arm": Hand(pose=pose)})) or "")


def test_a_hand_out_of_sight_is_refused_whatever_its_pose_says():
    assert "not tracked" in (problem(TeleopFrame(time_s=0.0, hands={"arm": Hand(pose=np.eye(4), tracked=False)})) or "")


@pytest.mark.parametrize(
    "frame",
    [
        TeleopFrame(time_s=np.nan),
        TeleopFrame(time_s=0.0, operator_yaw_rad=np.inf),
        TeleopFrame(time_s=0.0, hands={"arm": Hand(grip=np.nan)}),
    ],
)
def test_time_yaw_and_grip_must_be_numbers(frame):
    assert "finite" in (problem(frame) or "")


def test_what_no_device_measures_is_refused():
    far = np.eye(4)
    far[0, 3] = 1e30
    for hand in (Hand(twist=np.full(6, 1e30)), Hand(pose=far)):
        assert "arm" in (problem(TeleopFrame(time_s=0.0, hands={"arm": hand})) or "")


@pytest.mark.parametrize("base", [np.array([0.1, np.nan, 0.0]), np.array([0.0, 0.0, 1e30]), np.zeros(2)])
def test_a_base_is_told_finite_velocities(base):
    assert problem(TeleopFrame(time_s=0.0, base=np.array([0.3, 0.0, -1.0]))) is None
    assert "base" in (problem(TeleopFrame(time_s=0.0, base=base)) or "")


def test_what_is_said_about_a_base_survives_being_logged():
    for base in (None, np.array([0.1, -0.2, 1 / 3])):
        again = frame_from_json(frame_to_json(TeleopFrame(time_s=0.0, base=base))).base
        assert (again is None) if base is None else np.array_equal(again, base)
