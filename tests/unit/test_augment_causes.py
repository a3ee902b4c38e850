"""Why tries fail: each cause from a try in which exactly that goes wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apprentice.augment.explain import causes
from apprentice.augment.explain.causes import Segment, Try, diagnose
from apprentice.augment.paths.limits import outside_m

BRIDGE, LENGTH, CLOSE = 10, 40, 15
"""Steps on the way, of the segment, and of the segment at which the gripper moves."""
SYMMETRY = {"cube": 4, "bowl": 1, "cup": 1}


def poses(points: np.ndarray) -> np.ndarray:
    made = np.tile(np.eye(4), (len(points), 1, 1))
    made[:, :3, 3] = points
    return made


def still(at, length: int) -> np.ndarray:
    return poses(np.tile(np.asarray(at, float), (length, 1)))


def along(*knots: tuple[int, tuple[float, float, float]]) -> np.ndarray:
    steps = np.arange(knots[-1][0] + 1)
    return np.stack([np.interp(steps, [k for k, _ in knots], [p[axis] for _, p in knots]) for axis in range(3)], 1)


CUBE, BOWL, CUP, HIGH = (0.5, 0.0, 0.02), (0.5, 0.2, 0.02), (0.6, -0.2, 0.05), (0.5, 0.0, 0.12)


def grasp() -> Try:
    """Goes down to the cube, closes, and lifts; 0.3 m further left than in the source demo. Nothing went wrong."""

    def played(shift: float, bridge: int):
        offset = np.array([0.0, shift, 0.0])
        knots = [(bridge, HIGH), (bridge + CLOSE, CUBE), (bridge + CLOSE + 5, CUBE), (bridge + LENGTH, HIGH)]
        hand = along((0, (0.3, 0.0, 0.3)), *knots) + offset if bridge else along(*knots) + offset
        cube = np.tile(np.add(CUBE, offset), (len(hand), 1))
        lifted = np.arange(len(hand)) >= bridge + CLOSE + 5
        cube[lifted] = hand[lifted]
        return hand, cube

    hand, cube = played(0.0, 0)
    source = Segment(
        eef=poses(hand[:-1]), target=poses(hand[1:]), changes=[CLOSE], held=None,
        objects={"cube": poses(cube[:-1]), "bowl": still(BOWL, LENGTH), "cup": still(CUP, LENGTH)},
    )  # fmt: skip
    hand, cube = played(0.3, BRIDGE)
    return Try(
        source=source, about="cube", bridge_steps=BRIDGE, eef=poses(hand), target=poses(hand[1:]),
        changes=[BRIDGE + CLOSE], succeeded=False, symmetry=SYMMETRY, base=np.eye(4),
        objects={"cube": poses(cube), "bowl": still(BOWL, len(hand)), "cup": still(CUP, len(hand))},
    )  # fmt: skip


def place() -> Try:
    """Carries the cube over the bowl and lets go of it. Nothing went wrong."""

    def played(bridge: int):
        over = (0.5, 0.2, 0.06)
        hand = along((0, HIGH), (bridge + CLOSE, over), (bridge + CLOSE + 5, over), (bridge + LENGTH, (0.5, 0.2, 0.2)))
        cube = hand.copy()
        cube[bridge + CLOSE :] = over
        return hand, cube

    hand, cube = played(0)
    source = Segment(
        eef=poses(hand[:-1]), target=poses(hand[1:]), changes=[CLOSE], held="cube",
        objects={"cube": poses(cube[:-1]), "bowl": still(BOWL, LENGTH), "cup": still(CUP, LENGTH)},
    )  # fmt: skip
    hand, cube = played(BRIDGE)
    return Try(
        source=source, about="bowl", bridge_steps=BRIDGE, eef=poses(hand), target=poses(hand[1:]),
        changes=[BRIDGE + CLOSE], succeeded=False, symmetry=SYMMETRY, base=np.eye(4),
        objects={"cube": poses(cube), "bowl": still(BOWL, len(hand)), "cup": still(CUP, len(hand))},
    )  # fmt: skip


def with_object(made: Try, name: str, points: np.ndarray) -> Try:
    return replace(made, objects={**made.objects, name: poses(points)})


def points_of(made: Try, name: str) -> np.ndarray:
    return made.objects[name][:, :3, 3].copy()


@pytest.mark.parametrize("make", [grasp, place])
def test_a_try_in_which_nothing_went_wrong_has_only_run_out_of_time(make):
    assert diagnose(make()).name == causes.TIMED_OUT


def test_an_object_that_stays_behind_was_missed_by_as_much_as_the_hand_was_off():
    made = grasp()
    stays = np.tile(points_of(made, "cube")[0] + [0.017, 0, 0], (len(made.eef), 1))
    found = diagnose(with_object(made, "cube", stays))
    assert (found.name, found.object) == (causes.MISSED, "cube")
    assert found.off_m == pytest.approx(0.017, abs=1e-6)


def test_an_object_that_slips_out_after_the_lift_was_dropped():
    made = grasp()
    cube = points_of(made, "cube")
    cube[-4:, 2] = 0.02
    found = diagnose(with_object(made, "cube", cube))
    assert (found.name, found.object) == (causes.DROPPED, "cube")
    assert found.step == len(cube) - 4


@pytest.mark.parametrize("lost_at", [0, 8, 20])
def test_a_carried_object_that_falls_on_the_way_was_dropped(lost_at):
    made = place()
    cube = points_of(made, "cube")
    cube[lost_at:] = (0.5, 0.05, -0.1)
    found = diagnose(with_object(made, "cube", cube))
    assert (found.name, found.object, found.step) == (causes.DROPPED, "cube", lost_at)


def test_what_is_let_go_of_beside_its_place_is_misplaced():
    made = place()
    cube = points_of(made, "cube")
    cube[-15:] = (0.5, 0.25, 0.02)
    found = diagnose(with_object(made, "cube", cube))
    assert (found.name, found.object) == (causes.MISPLACED, "cube")
    assert found.off_m == pytest.approx(np.hypot(0.05, 0.04), abs=1e-6)


@pytest.mark.parametrize("step, name", [(4, causes.COLLIDED), (30, causes.KNOCKED_OVER)])
@pytest.mark.parametrize("make", [grasp, place])
def test_a_bystander_that_is_pushed_tells_whether_on_the_way_or_during_the_segment(make, step, name):
    made = make()
    cup = points_of(made, "cup")
    cup[step:] += (0.04, 0.0, 0.0)
    found = diagnose(with_object(made, "cup", cup))
    assert (found.name, found.object, found.step) == (name, "cup", step)
    assert found.off_m == pytest.approx(0.04)


def test_a_bystander_that_tips_on_the_spot_is_knocked_over():
    made = grasp()
    cup = made.objects["cup"].copy()
    cup[30:, :3, :3] = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    assert diagnose(replace(made, objects={**made.objects, "cup": cup})).name == causes.KNOCKED_OVER


def test_what_the_source_demo_moves_as_well_may_move():
    made = place()
    moved = along((0, CUP), (LENGTH - 1, (0.7, -0.2, 0.05)))
    source = replace(made.source, objects={**made.source.objects, "cup": poses(moved)})
    cup = along((0, CUP), (len(made.eef) - 1, (0.7, -0.2, 0.05)))
    assert diagnose(with_object(replace(made, source=source), "cup", cup)).name == causes.TIMED_OUT


def stopped(made: Try, at: tuple[float, float, float]) -> Try:
    """The hand stays where it is from the end of the bridge on, and the object with it."""
    hand = made.eef[:, :3, 3].copy()
    hand[BRIDGE:] = at
    cube = np.tile(points_of(made, "cube")[0], (len(hand), 1))
    return with_object(replace(made, eef=poses(hand)), "cube", cube)


def test_a_hand_that_stops_on_the_way_has_not_reached_its_target():
    made = grasp()
    x, y, z = made.target[BRIDGE + CLOSE - 1, :3, 3]
    found = diagnose(stopped(made, (x, y, z + 0.06)))
    assert (found.name, found.object) == (causes.NOT_REACHED, "cube")
    assert found.off_m == pytest.approx(0.06, abs=0.01)


def test_a_stretched_arm_means_that_the_object_is_out_of_reach():
    made = grasp()
    x, y, z = made.target[BRIDGE + CLOSE - 1, :3, 3]
    inwards = 1 - 0.05 / np.linalg.norm([x, y, z])
    found = diagnose(stopped(made, (x * inwards, y * inwards, z * inwards)))
    assert found.name == causes.UNREACHABLE
    assert found.off_m == pytest.approx(0.05, abs=0.01)


def test_a_plan_that_was_not_played_failed_for_what_the_planner_found():
    found = diagnose(replace(grasp(), foreseen="unreachable", outside_m=0.04))
    assert (found.name, found.object, found.off_m) == (causes.UNREACHABLE, "cube", 0.04)
    assert diagnose(replace(grasp(), foreseen="collides")).name == causes.COLLIDED


def test_a_hand_that_cannot_turn_as_it_should_has_not_reached_its_target():
    made = grasp()
    eef = made.eef.copy()
    eef[BRIDGE:, :3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    made = replace(made, eef=eef)
    found = diagnose(with_object(made, "cube", np.tile(points_of(made, "cube")[0], (len(eef), 1))))
    assert found.name == causes.NOT_REACHED
    assert found.off_rad == pytest.approx(np.pi / 2)
    assert found.off_m is None


def test_success_that_does_not_last_is_not_held():
    assert diagnose(replace(place(), succeeded=True)).name == causes.NOT_HELD


def test_of_several_mishaps_the_first_is_the_cause():
    made = place()
    cube, cup = points_of(made, "cube"), points_of(made, "cup")
    cube[20:] = (0.5, 0.05, 0.02)
    cup[15:] += (0.04, 0.0, 0.0)
    both = with_object(with_object(made, "cube", cube), "cup", cup)
    assert diagnose(both).name == causes.KNOCKED_OVER
    cube[12:] = (0.5, 0.05, 0.02)
    assert diagnose(with_object(both, "cube", cube)).name == causes.DROPPED


@given(seed=st.integers(0, 10_000), about=st.sampled_from(["cube", "bowl", None]), length=st.integers(1, 50))
def test_every_failed_try_gets_a_cause(seed, about, length):
    rng = np.random.default_rng(seed)
    made = grasp() if seed % 2 else place()

    def shaken(values: np.ndarray, count: int) -> np.ndarray:
        values = values[:count].copy()
        values[:, :3, 3] += rng.normal(0, 0.05, (len(values), 3))
        return values

    made = replace(
        made, about=about, eef=shaken(made.eef, length + 1), target=shaken(made.target, length),
        objects={name: shaken(values, length + 1) for name, values in made.objects.items()},
        changes=[step for step in made.changes if step < length],
    )  # fmt: skip
    found = diagnose(made)
    assert found.name in causes.CAUSES
    assert found.off_m is None or np.isfinite(found.off_m)


class Arm:
    """Reaches everything within a metre of the origin. Its joints are where its hand is."""

    joints = np.array([0.5, 0.0, 0.2])
    low = high = joints

    def reach(self, eef_pose, seed):
        return eef_pose[:3, 3] if np.linalg.norm(eef_pose[:3, 3]) <= 1.0 else None

    def hand(self, joints):
        pose = np.eye(4)
        pose[:3, 3] = joints
        return pose

    def distances(self, joints):
        return {}


def test_how_far_outside_reach_something_is():
    path = poses(along((0, (0.5, 0.0, 0.0)), (30, (1.04, 0.0, 0.0))))
    assert outside_m(Arm(), path) == pytest.approx(np.linalg.norm(path[-1, :3, 3]) - 1.0, abs=0.005)
    assert outside_m(Arm(), path[:20]) is None
