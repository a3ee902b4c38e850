"""Laws of the way to a segment: how fast it is, what it goes around, and where it may begin."""

import itertools
import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from augment_world import load, subtask, write_source
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apprentice.augment.paths.bridge import Terms, find_bridge
from apprentice.augment.paths.profile import MAX_STEPS, StepLimits, timed
from apprentice.augment.paths.response import AT_ONCE, Law, Response, fit_response
from apprentice.augment.paths.search import RESOLUTION, find_way
from apprentice.augment.sources.contact import ContactStarts, contact_start, contact_starts
from apprentice.augment.sources.segment import nominal_boundaries
from apprentice.poses import exp_rotation, log_rotation, make_pose
from apprentice.poses.arrays import exp_matrix, invert, log_matrix

LIMITS = StepLimits(speed=0.03, acceleration=0.01, turn=0.2, turn_acceleration=0.06)


def near(size: float):
    return arrays(np.float64, 3, elements=st.floats(-size, size))


def pose(xyz, rotvec=(0.0, 0.0, 0.0)) -> np.ndarray:
    made = np.eye(4)
    made[:3, 3], made[:3, :3] = xyz, exp_matrix(np.asarray(rotvec, dtype=np.float64))
    return made


def motion(start: np.ndarray, path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Velocities of position and rotation per step, at rest before the start."""
    whole = np.concatenate((start[None], start[None], path))
    turns = log_matrix(whole[1:, :3, :3] @ np.swapaxes(whole[:-1, :3, :3], 1, 2))
    return np.diff(whole[:, :3, 3], axis=0), turns


def size(vectors: np.ndarray) -> float:
    return float(np.linalg.norm(vectors, axis=-1).max())


@given(rotvec=near(1.8))
def test_rotations_in_numpy_are_those_in_torch(rotvec):
    matrix = exp_matrix(rotvec)
    np.testing.assert_allclose(matrix, exp_rotation(torch.from_numpy(rotvec)).numpy(), atol=1e-9)
    np.testing.assert_allclose(log_matrix(matrix), log_rotation(torch.from_numpy(matrix)).numpy(), atol=1e-6)
    np.testing.assert_allclose(invert(pose(rotvec, rotvec)) @ pose(rotvec, rotvec), np.eye(4), atol=1e-9)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 0.6, 0.8), (-0.6, 0, 0.8)])
def test_half_turns_have_an_axis(axis):
    half = math.pi * np.array(axis, dtype=np.float64)
    np.testing.assert_allclose(exp_matrix(log_matrix(exp_matrix(half))), exp_matrix(half), atol=1e-6)


@given(via=st.lists(near(0.2), min_size=0, max_size=3), end=near(0.2), turn=near(0.8), arrival=near(0.05))
def test_a_way_keeps_to_speed_and_acceleration_and_ends_where_it_should(via, end, turn, arrival):
    start = pose((0, 0, 0), (0.3, -0.2, 0.1))
    vertices = [start, *(pose(xyz) for xyz in via), pose(end)]
    for index, vertex in enumerate(vertices[1:], 1):
        # about one axis, where the limit of angular acceleration is exact
        vertex[:3, :3] = exp_matrix(turn * index / (len(vertices) - 1)) @ start[:3, :3]
    path = timed(np.stack(vertices), LIMITS, np.concatenate((arrival, np.zeros(3))))
    np.testing.assert_allclose(path[-1], vertices[-1], atol=1e-9)
    moves, turns = motion(start, path)
    if len(path) < MAX_STEPS:
        assert size(moves) <= LIMITS.speed * (1 + 1e-6)
        assert size(turns) <= LIMITS.turn * (1 + 1e-6)
        assert size(np.diff(moves, axis=0)) <= LIMITS.acceleration * (1 + 1e-6)
        assert size(np.diff(turns, axis=0)) <= LIMITS.turn_acceleration * (1 + 1e-6)


@given(end=near(0.3))
def test_a_hand_arrives_at_rest_or_as_fast_as_the_segment_goes_on(end):
    vertices = np.stack((pose((0, 0, 0)), pose(end)))
    at_rest, _ = motion(vertices[0], timed(vertices, LIMITS))
    assert np.linalg.norm(at_rest[-1]) <= LIMITS.acceleration + 1e-9  # stops within one more step
    downwards = np.array([0, 0, -0.02, 0, 0, 0])
    arriving, _ = motion(vertices[0], timed(vertices, LIMITS, downwards))
    assert np.linalg.norm(downwards[:3] - arriving[-1]) <= LIMITS.acceleration + 1e-9


def test_a_way_takes_no_longer_than_it_must():
    path = timed(np.stack((pose((0, 0, 0)), pose((0.3, 0, 0)))), LIMITS)
    # at full speed 10 steps, 3 more for speeding up and slowing down
    assert 12 <= len(path) <= 13


def follow(targets: np.ndarray, moving: Law, turning: Law, start: np.ndarray) -> np.ndarray:
    """A hand that obeys the law exactly."""
    hand, move, turn, poses = start, np.zeros(3), np.zeros(3), []
    for target in targets:
        move = moving.momentum * move + moving.gain * (target[:3, 3] - hand[:3, 3])
        turn = turning.momentum * turn + turning.gain * log_matrix(target[:3, :3] @ hand[:3, :3].T)
        following = pose(hand[:3, 3] + move)
        following[:3, :3] = exp_matrix(turn) @ hand[:3, :3]
        poses.append(following)
        hand = following
    return np.stack(poses)


def test_how_a_hand_follows_is_learnt_from_demos_and_made_up_for():
    moving, turning = Law(momentum=0.35, gain=0.07), Law(momentum=0.2, gain=0.3)
    rng = np.random.default_rng(0)
    targets = np.stack([pose(xyz, turn) for xyz, turn in zip(rng.normal(size=(60, 3)), rng.normal(size=(60, 3)) * 0.3)])
    hands = np.concatenate((pose((0, 0, 0))[None], follow(targets, moving, turning, pose((0, 0, 0)))))
    learnt = fit_response([(hands[:-1], targets)])
    for found, true in ((learnt.moving, moving), (learnt.turning, turning)):
        assert (found.momentum, found.gain) == pytest.approx((true.momentum, true.gain), abs=1e-6)
    start = pose((0.1, 0.2, 0.3), (0.0, 0.5, 0.0))
    path = timed(np.stack((start, pose((0.4, 0.0, 0.2), (0.2, 0.1, 0.4)))), LIMITS)
    followed = follow(learnt.targets(start, path), moving, turning, start)
    np.testing.assert_allclose(followed, path, atol=1e-9)


def test_demos_that_show_no_law_leave_targets_on_the_path():
    rng = np.random.default_rng(0)
    hand, targets = (np.stack([pose(xyz) for xyz in rng.normal(size=(50, 3))]) for _ in range(2))
    learnt = fit_response([(hand, targets)])
    assert learnt.moving == learnt.turning == AT_ONCE
    path = timed(np.stack((pose((0, 0, 0)), pose((0.1, 0, 0)))), LIMITS)
    np.testing.assert_allclose(Response().targets(pose((0, 0, 0)), path), path, atol=1e-12)


def straight(*knots: tuple[int, tuple[float, float, float]]) -> torch.Tensor:
    steps = np.arange(knots[-1][0] + 1)
    xyz = [np.interp(steps, [k for k, _ in knots], [p[axis] for _, p in knots]) for axis in range(3)]
    return make_pose(torch.from_numpy(np.stack(xyz, 1)), torch.eye(3, dtype=torch.float64))


def still(steps: int) -> torch.Tensor:
    return torch.eye(4, dtype=torch.float64).repeat(steps, 1, 1)


def test_contact_begins_where_the_hand_comes_near_to_grasp():
    hand = straight((0, (0.5, 0, 0.3)), (30, (0, 0, 0.3)), (60, (0, 0, 0)), (80, (0, 0, 0)))
    gripper = torch.ones(81, 1)
    gripper[65:] = -1
    first, last = contact_start(hand, gripper, {"cube": still(81)}, "cube", 0.08)
    assert first == last
    assert 0.07 < float(hand[first, 2, 3]) <= 0.08
    # one that is near from the beginning has no free transit
    assert contact_start(hand[60:], gripper[60:], {}, None, 0.08) == (0, 0)


def test_a_grasp_that_missed_is_only_played_where_it_is_asked_for():
    once = straight((0, (0, 0, 0.3)), (30, (0, 0, 0)), (40, (0, 0, 0)))
    hand = torch.cat((once, once.flip(0), once))
    gripper = torch.ones(len(hand), 1)
    gripper[35:50] = gripper[len(hand) - 3 :] = -1
    first, last = contact_start(hand, gripper, {"cube": still(len(hand))}, "cube", 0.08)
    assert first < 30
    assert last == first + 2 * len(once)


def test_what_most_demos_do_is_wanted_and_what_few_do_was_a_mishap():
    first, last = np.array([[5, 5], [5, 5], [5, 5]]), np.array([[9, 5], [9, 9], [5, 5]])
    starts = ContactStarts(first=first, last=last)
    np.testing.assert_array_equal(starts.chosen(0), np.stack((first[:, 0], last[:, 1]), 1))
    np.testing.assert_array_equal(starts.chosen(1), np.stack((last[:, 0], first[:, 1]), 1))


def test_a_push_is_contact_and_carrying_is_not():
    hand = straight((0, (0, 0, 0)), (40, (0.4, 0, 0)), (60, (0.6, 0, 0)))
    pushed, carried = still(61), hand.clone()
    pushed[:, 0, 3] = torch.clamp(hand[:, 0, 3], min=0.4)
    pushing, _ = contact_start(hand, torch.ones(61, 1), {"box": pushed}, None, 0.08)
    assert 0.3 < float(hand[pushing, 0, 3]) < 0.35
    carrying = contact_start(hand, torch.ones(61, 1), {"cup": carried}, None, 0.08)
    assert carrying == contact_start(hand, torch.ones(61, 1), {}, None, 0.08)
    assert carrying[0] > pushing


def test_every_segment_of_a_demo_has_its_contact_inside_it(tmp_path):
    demos = load(write_source(tmp_path / "source.hdf5"))
    parts = [subtask("button", "press"), subtask("pad", None)]
    _, nominal = nominal_boundaries(demos, parts, "hand")
    starts = contact_starts(demos, nominal, parts, "hand", 0.05)
    for found in (starts.first, starts.last):
        assert ((found >= nominal[..., 0]) & (found < nominal[..., 1])).all()
    assert (starts.first > nominal[..., 0]).any()


SLIDE = 5.0
"""Joint units per metre, so that a step of the search is some centimetres, as it is with an arm."""


@dataclass
class Gantry:
    """A ball of 1 cm on three slides, among boxes."""

    joints: np.ndarray
    boxes: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = field(default_factory=dict)
    low: np.ndarray = field(default_factory=lambda: SLIDE * np.array([-0.5, -0.5, 0.0]))
    high: np.ndarray = field(default_factory=lambda: SLIDE * np.array([0.5, 0.5, 0.5]))
    looks: int = 0

    def reach(self, eef_pose, seed):
        joints = SLIDE * eef_pose[:3, 3]
        return joints if ((joints >= self.low) & (joints <= self.high)).all() else None

    def hand(self, joints):
        return pose(joints / SLIDE)

    def distances(self, joints):
        self.looks += 1
        found = {}
        for name, (low, high) in self.boxes.items():
            apart = np.linalg.norm(joints / SLIDE - np.clip(joints / SLIDE, low, high)) - 0.01
            if apart < 0.05:
                found["ball", name] = float(apart)
        return found


TERMS = Terms(limits=LIMITS, clearance_m=0.01, about="goal", near_m=0.08)
HERE, THERE = (-0.2, 0.0, 0.05), (0.2, 0.0, 0.05)


def bridge(boxes, here=HERE, there=THERE, seed=0):
    space = Gantry(SLIDE * np.array(here), boxes)
    return find_bridge(space, pose(here), pose(there), None, TERMS, np.random.default_rng(seed)), space


def clearance(way, space) -> float:
    return min((min(space.distances(SLIDE * at[:3, 3]).values(), default=1.0) for at in way.path[:-2]), default=1.0)


def test_with_nothing_in_the_way_it_goes_straight_and_looks_little():
    way, space = bridge({"wall": ((-0.02, 0.2, 0), (0.02, 0.3, 0.1))})
    assert (way.kind, way.problem) == ("straight", None)
    assert space.looks <= 12
    np.testing.assert_allclose(way.path[:, 1:3, 3], np.array([[0.0, 0.05]]).repeat(len(way.path), 0), atol=1e-9)


def test_over_a_tower_it_is_raised_no_higher_than_needed():
    way, space = bridge({"tower": ((-0.02, -0.02, 0), (0.02, 0.02, 0.1))})
    assert (way.kind, way.problem) == ("raised", None)
    assert clearance(way, space) > 0
    assert way.path[:, 2, 3].max() < 0.15


def test_around_a_high_wall_it_searches_and_always_finds_the_same():
    wall = {"wall": ((-0.02, -0.5, 0), (0.02, 0.15, 0.5))}
    way, space = bridge(wall)
    assert (way.kind, way.problem) == ("searched", None)
    assert clearance(way, space) > 0
    moves, _ = motion(pose(HERE), way.path)
    assert size(moves) <= LIMITS.speed * (1 + 1e-6)
    np.testing.assert_array_equal(bridge(wall)[0].path, way.path)


def test_where_there_is_no_way_it_says_why():
    closed, _ = bridge({"wall": ((-0.02, -0.5, 0), (0.02, 0.5, 0.5))})
    assert closed.problem == "collides"
    far, _ = bridge({}, there=(0.7, 0, 0.1))
    assert far.problem == "unreachable"


def test_only_what_the_segment_is_about_may_be_touched_at_its_end():
    end = {"goal": ((0.17, -0.05, 0), (0.3, 0.05, 0.1))}
    assert bridge(end)[0].kind == "straight"
    assert bridge({"other": end["goal"]})[0].problem == "collides"


def test_what_is_drawn_along_is_in_nobodys_way():
    space = Gantry(SLIDE * np.array(HERE), {"drawn": ((-0.1, -0.1, 0), (0.1, 0.1, 0.5))})
    rng, terms = np.random.default_rng(0), replace(TERMS, drawn=frozenset({"drawn"}))
    assert find_bridge(space, pose(HERE), pose(THERE), None, TERMS, rng).kind != "straight"
    assert find_bridge(space, pose(HERE), pose(THERE), None, terms, rng).kind == "straight"
    space.boxes["tower"] = ((-0.02, -0.02, 0), (0.02, 0.02, 0.1))
    assert find_bridge(space, pose(HERE), pose(THERE), None, terms, rng).problem == "collides", (
        "it would be left behind"
    )


def test_what_is_touched_at_the_beginning_may_be_left():
    way, _ = bridge({"held against": ((-0.3, -0.1, 0), (-0.2, 0.1, 0.1))})
    assert (way.kind, way.problem) == ("straight", None)


def test_rrt_leads_through_a_gap_and_gives_up_where_there_is_none():
    def free(joints: np.ndarray, gap: float = 0.6) -> bool:
        return abs(joints[0]) > 0.2 or joints[1] > gap

    start, goal, high = np.array([-1.0, 0.0]), np.array([1.0, 0.0]), np.array([2.0, 1.0])
    way = find_way(start, goal, -high, high, free, np.random.default_rng(3))
    assert way is not None
    np.testing.assert_array_equal(way[[0, -1]], np.stack((start, goal)))
    for one, other in itertools.pairwise(way):
        count = max(1, math.ceil(float(np.linalg.norm(other - one)) / RESOLUTION))
        assert all(free(one + (other - one) * (k / count)) for k in range(count + 1))
    assert find_way(start, goal, -high, high, lambda q: free(q, 2.0), np.random.default_rng(3)) is None


def test_where_both_ends_are_shut_in_the_search_gives_up():
    low = np.array([-3.0, -3.0])
    asked = 0

    def free(q: np.ndarray) -> bool:
        nonlocal asked
        asked += 1
        return bool(min(np.linalg.norm(q - 1.0), np.linalg.norm(q + 1.0)) < 0.01)

    assert find_way(np.full(2, -1.0), np.full(2, 1.0), low, -low, free, np.random.default_rng(0)) is None
    assert asked < 20_000
    assert find_way(np.full(2, -1.0), np.full(2, 2.0), low, -low, free, np.random.default_rng(0)) is None
