"""A replay is compared with its recording bit by bit, and in metres and radians."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from apprentice.demos import Demo
from apprentice.record.cfg import ReplayCfg
from apprentice.record.playback import Played
from apprentice.record.replay import ReplayReport, _compare

STEPS = 12


def states():
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(STEPS, 7)).astype(np.float32)
    poses[:, 3:] = Rotation.random(STEPS, rng=rng).as_quat()
    return {
        "states/rigid_object/cube/root_pose": poses,
        "states/articulation/robot/joint_position": rng.normal(size=(STEPS, 9)).astype(np.float32),
    }


def compare(recorded, result, held=10):
    demo = Demo(actions=np.zeros((STEPS, 7), np.float32), data=recorded, success=True, name="demo_0")
    return _compare(Played(demo=demo, tree=result, held_steps=held), ReplayCfg())


def test_the_same_states_are_bit_exact():
    found = compare(states(), states())
    assert found.bit_exact and found.success and found.differs_at is None and found.diverged_at is None
    assert (found.position_error_m, found.joint_error_rad) == (0.0, 0.0)
    assert found.rotation_error_rad == 0.0


@given(step=st.integers(0, STEPS - 1), column=st.integers(0, 8))
def test_a_single_bit_is_found_where_it_differs(step, column):
    result = states()
    joints = result["states/articulation/robot/joint_position"]
    joints[step, column] = np.nextafter(joints[step, column], np.float32(9))
    found = compare(states(), result)
    assert not found.bit_exact
    assert found.differs_at == step
    assert found.diverged_at is None


def test_errors_are_those_of_the_end_and_divergence_is_when_it_began():
    result = states()
    result["states/rigid_object/cube/root_pose"][5:, 0] += 0.02
    turn = Rotation.from_rotvec([0, 0, 0.1])
    pose = result["states/rigid_object/cube/root_pose"]
    pose[-1, 3:] = -(turn * Rotation.from_quat(pose[-1, 3:])).as_quat()  # -q is the same rotation
    found = compare(states(), result)
    assert found.diverged_at == found.differs_at == 5
    assert found.position_error_m == pytest.approx(0.02, abs=1e-5)
    assert found.rotation_error_rad == pytest.approx(0.1, abs=1e-5)


def test_demos_without_states_are_judged_by_success_alone():
    found = compare({}, states(), held=9)
    assert (found.bit_exact, found.position_error_m, found.differs_at, found.success) == (None, None, None, False)
    report = ReplayReport(file="f", task="t", backend="native", demos=[found], certified=0)
    assert report.summary() == "0 of 1 demos succeed again on native."
