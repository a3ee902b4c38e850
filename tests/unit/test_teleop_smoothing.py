"""A hand that is still stays still, one that moves is not left behind, and nothing is made up."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from apprentice.teleop.frame import is_pose
from apprentice.teleop.smoothing import PoseSmoothing, SmoothingCfg

relaxed = settings(max_examples=50)

HZ = 20.0
vectors = arrays(np.float64, 3, elements=st.floats(-1, 1))


def pose(at, turn=(0.0, 0.0, 0.0)):
    result = np.eye(4)
    result[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    result[:3, 3] = at
    return result


def angle(a, b):
    return Rotation.from_matrix(a[:3, :3] @ b[:3, :3].T).magnitude()


@relaxed
@given(at=vectors, turn=vectors, count=st.integers(1, 10))
def test_a_hand_that_does_not_move_comes_out_as_it_is(at, turn, count):
    smoothing = PoseSmoothing(SmoothingCfg(), 1 / HZ)
    for _ in range(count):
        np.testing.assert_allclose(smoothing.update(pose(at, turn)), pose(at, turn), atol=1e-12)


@relaxed
@given(st.lists(st.tuples(vectors, vectors), min_size=2, max_size=20))
def test_what_comes_out_is_a_pose_among_those_that_went_in(steps):
    smoothing = PoseSmoothing(SmoothingCfg(), 1 / HZ)
    places = np.array([at for at, _ in steps])
    for at, turn in steps:
        out = smoothing.update(pose(at, turn))
        assert is_pose(out)
        assert (out[:3, 3] >= places.min(0) - 1e-9).all() and (out[:3, 3] <= places.max(0) + 1e-9).all()


@relaxed
@given(vectors, vectors, vectors, vectors)
def test_a_step_is_never_overshot_and_is_reached(start, turn, step, twist):
    smoothing = PoseSmoothing(SmoothingCfg(), 1 / HZ)
    smoothing.update(pose(start, turn))
    goal = pose(start + step, (Rotation.from_rotvec(twist) * Rotation.from_rotvec(turn)).as_rotvec())
    off, apart = np.inf, np.inf
    for _ in range(100):
        out = smoothing.update(goal)
        now = np.linalg.norm(out[:3, 3] - goal[:3, 3]), angle(out, goal)
        assert now[0] <= off + 1e-9 and now[1] <= apart + 1e-9
        off, apart = now
    assert off < 1e-6 and apart < 1e-5


def test_tremor_is_damped_and_a_fast_hand_is_followed_closely():
    rng = np.random.default_rng(0)
    still = PoseSmoothing(SmoothingCfg(), 1 / HZ)
    noise = rng.normal(0, 0.001, (400, 3))
    out = np.array([still.update(pose(at))[:3, 3] for at in noise])
    assert out[20:].std() < 0.6 * noise.std()
    moving = PoseSmoothing(SmoothingCfg(), 1 / HZ)
    lags = [x - moving.update(pose((x, 0, 0)))[0, 3] for x in np.arange(0, 1, 0.5 / HZ)]
    assert max(lags[10:]) < 0.5 / HZ  # at half a metre per second, less than one step behind


def test_after_a_reset_the_next_pose_is_the_first():
    smoothing = PoseSmoothing(SmoothingCfg(), 1 / HZ)
    smoothing.update(pose((0, 0, 0)))
    smoothing.reset()
    np.testing.assert_array_equal(smoothing.update(pose((1, 2, 3))), pose((1, 2, 3)))
