"""Laws of rigid transforms, for single poses and for batches."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from apprentice import poses

relaxed = settings(max_examples=50)
"""The machine may be busy; what is tested does not depend on how fast it is."""

vectors = arrays(np.float64, (2, 3), elements=st.floats(-2, 2, allow_subnormal=False)).map(torch.from_numpy)
turns = arrays(np.float64, (2, 3), elements=st.floats(-1.8, 1.8, allow_subnormal=False)).map(torch.from_numpy)
"""Rotation vectors; the longest is shorter than pi."""
batches = st.builds(lambda p, r: poses.make_pose(p, poses.exp_rotation(r)), vectors, turns)


def assert_close(actual, expected, atol=1e-9):
    torch.testing.assert_close(actual, expected, atol=atol, rtol=0)


@relaxed
@given(a=batches, b=batches)
def test_inverse_undoes_a_pose_and_reverses_products(a, b):
    eye = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)
    assert_close(a @ poses.inverse(a), eye)
    assert_close(poses.inverse(a @ b), poses.inverse(b) @ poses.inverse(a))


@relaxed
@given(position=vectors, turn=turns)
def test_a_pose_gives_back_its_parts(position, turn):
    pose = poses.make_pose(position, poses.exp_rotation(turn))
    assert_close(poses.position(pose), position)
    assert_close(poses.rotation(pose), poses.exp_rotation(turn))
    assert_close(pose[:, 3], torch.tensor([0.0, 0, 0, 1], dtype=torch.float64).expand(2, 4))


@relaxed
@given(turn=turns)
def test_rotations_agree_with_scipy(turn):
    reference = Rotation.from_rotvec(turn.numpy())
    rotation = poses.exp_rotation(turn)
    assert_close(rotation, torch.from_numpy(reference.as_matrix()))
    assert_close(poses.quat_from_rotation(rotation), torch.from_numpy(reference.as_quat(canonical=True)), 1e-7)
    assert_close(poses.rotation_angle(rotation), torch.from_numpy(reference.magnitude()))


@relaxed
@given(turn=turns)
def test_logarithm_inverts_the_exponential(turn):
    assert_close(poses.log_rotation(poses.exp_rotation(turn)), turn)


@relaxed
@given(turn=turns)
def test_quaternions_have_unit_length_and_positive_w_and_give_the_rotation_back(turn):
    rotation = poses.exp_rotation(turn)
    quat = poses.quat_from_rotation(rotation)
    assert_close(quat.norm(dim=-1), torch.ones(2, dtype=torch.float64))
    assert (quat[..., 3] >= 0).all()
    assert_close(poses.rotation_from_quat(quat), rotation)
    assert_close(poses.rotation_from_quat(-3 * quat), rotation)


@pytest.mark.parametrize("axis", [(1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0), (0.6, 0, -0.8)])
@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, math.pi - 1e-6, math.pi])
def test_the_smallest_and_the_largest_angles_stay_accurate(axis, angle):
    rotation = poses.exp_rotation(angle * torch.tensor(axis, dtype=torch.float64))
    turn = poses.log_rotation(rotation)
    assert_close(poses.rotation_angle(rotation), torch.tensor(angle, dtype=torch.float64))
    assert_close(poses.exp_rotation(turn), rotation)


@relaxed
@given(a=batches, b=batches)
def test_interpolation_meets_both_ends_and_goes_evenly(a, b):
    assert_close(poses.interpolate(a, b, 0.0), a)
    assert_close(poses.interpolate(a, b, 1.0), b, 1e-7)
    whole = poses.rotation_angle(poses.rotation(poses.inverse(a) @ b))
    part = poses.interpolate(a, b, 0.25)
    assert_close(poses.rotation_angle(poses.rotation(poses.inverse(a) @ part)), 0.25 * whole, 1e-7)
    assert_close(poses.position(part), 0.75 * poses.position(a) + 0.25 * poses.position(b))


def test_one_fraction_per_pose_or_per_waypoint_broadcasts():
    start = torch.eye(4).expand(5, 4, 4)
    end = poses.make_pose(torch.tensor([1.0, 0, 0]), poses.rotation_z(torch.full((5,), 1.0)))
    fractions = torch.linspace(0, 1, 7)[:, None].expand(7, 5)
    waypoints = poses.interpolate(start, end, fractions)
    assert waypoints.shape == (7, 5, 4, 4)
    assert_close(waypoints[:, 2, 0, 3], fractions[:, 2], 1e-6)


@relaxed
@given(angle=st.floats(-3, 3))
def test_turning_about_z_is_the_exponential_of_a_z_vector(angle):
    vector = torch.tensor([0.0, 0.0, angle], dtype=torch.float64)
    assert_close(poses.rotation_z(vector[2]), poses.exp_rotation(vector))


@relaxed
@given(pose=batches)
def test_a_cube_set_upright_is_the_same_cube_and_the_same_however_it_was_named(pose):
    """All 24 names of its axes give one pose, up to quarter turns about the vertical."""
    up = poses.set_upright(pose)
    assert_close(torch.linalg.det(poses.rotation(up)), torch.ones(2, dtype=torch.float64))
    assert bool((up[:, 2, 2] >= up[:, 2, :2].abs().amax(-1) - 1e-12).all())
    named = poses.rotation(poses.inverse(pose) @ up)
    assert_close(named.abs().sort(-1).values, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(2, 3, 3))
    for turn in Rotation.create_group("O").as_matrix():
        other = poses.make_pose(poses.position(pose), poses.rotation(pose) @ torch.from_numpy(turn))
        same = poses.inverse(up) @ poses.set_upright(other)
        if bool((up[:, 2, 2] > up[:, 2, :2].abs().amax(-1) + 1e-6).all()):  # else two sides are equally far up
            assert_close(same[:, 2, 2], torch.ones(2, dtype=torch.float64), 1e-6)
        assert_close(same[:, :3, 3], torch.zeros(2, 3, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_batch_shape_and_float_type_is_kept(shape, dtype):
    rotation = poses.exp_rotation(torch.zeros(*shape, 3, dtype=dtype))
    pose = poses.make_pose(torch.zeros(*shape, 3, dtype=dtype), rotation)
    for value, tail in [
        (poses.inverse(pose), (4, 4)),
        (poses.interpolate(pose, pose, 0.5), (4, 4)),
        (poses.quat_from_rotation(rotation), (4,)),
        (poses.log_rotation(rotation), (3,)),
        (poses.rotation_angle(rotation), ()),
        (poses.set_upright(pose), (4, 4)),
    ]:
        assert value.shape == (*shape, *tail)
        assert value.dtype == dtype
        assert value.isfinite().all()


def test_a_thousand_products_in_single_precision_stay_rotations():
    pose = torch.eye(4)
    step = poses.make_pose(torch.tensor([0.001, 0, 0]), poses.exp_rotation(torch.tensor([0.01, 0.02, -0.015])))
    for _ in range(1000):
        pose = pose @ step
    clean = poses.rotation_from_quat(poses.quat_from_rotation(poses.rotation(pose)))
    assert_close(clean @ clean.mT, torch.eye(3), 1e-5)
    assert_close(clean, poses.rotation(pose), 1e-3)
