"""Properties of the clutch that an operator would feel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from apprentice.teleop.clutch import Clutch, ClutchCfg

relaxed = settings(max_examples=50)

vectors = arrays(np.float64, 3, elements=st.floats(-2, 2))


@st.composite
def poses(draw: st.DrawFn) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(draw(vectors)).as_matrix()
    pose[:3, 3] = draw(vectors)
    return pose


@relaxed
@given(start=poses(), hands=st.lists(poses(), min_size=1, max_size=5))
def test_released_clutch_never_moves_the_target(start, hands):
    clutch = Clutch(ClutchCfg(), start)
    for hand in hands:
        np.testing.assert_array_equal(clutch.update(hand, engage=False), start)


@relaxed
@given(start=poses(), first=poses(), second=poses())
def test_engaging_again_elsewhere_does_not_jump(start, first, second):
    clutch = Clutch(ClutchCfg(), start)
    clutch.update(first, engage=True)
    held = clutch.update(second, engage=True)
    clutch.update(first, engage=False)
    np.testing.assert_allclose(clutch.update(second, engage=True), held)


@relaxed
@given(start=poses(), hand=poses(), step=vectors)
def test_translation_follows_the_hand_at_scale(start, hand, step):
    clutch = Clutch(ClutchCfg(translation_scale=0.5), start)
    clutch.update(hand, engage=True)
    moved = hand.copy()
    moved[:3, 3] += step
    target = clutch.update(moved, engage=True)
    np.testing.assert_allclose(target[:3, 3], start[:3, 3] + 0.5 * step, atol=1e-9)
    np.testing.assert_allclose(target[:3, :3], start[:3, :3], atol=1e-9)


def test_a_lost_hand_is_refused_with_what_was_expected():
    with pytest.raises(ValueError, match="finite hand pose"):
        Clutch(ClutchCfg(), np.eye(4)).update(np.full((4, 4), np.nan), engage=True)
