"""The scripted operator gets through its task the way people do. Its world here is a hand that follows at once."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from apprentice.errors import UserError
from apprentice.tasks.oracle import FORWARD, Oracle, Stage, Waypoint, find_oracle, pick_and_place
from apprentice.teleop.frame import Command
from apprentice.teleop.sources.base import View
from apprentice.teleop.sources.scripted import ScriptedCfg, ScriptedOperator

HZ = 20.0
SIZE = 0.04


class World:
    """A hand that does as it is told, and cubes that it carries when closed around them and that fall when let go."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.hand = np.eye(4)
        self.hand[:3, :3] = Rotation.from_euler("x", np.pi).as_matrix()
        self.hand[:3, 3] = 0.45, 0.0, 0.25
        places = [(0.4, -0.1), (0.5, 0.1), (0.6, 0.0)]
        self.cubes = {}
        for name, (x, y) in zip(("a", "b", "c"), places, strict=True):
            cube = np.eye(4)
            cube[:3, :3] = Rotation.from_euler("z", rng.uniform(-1, 1)).as_matrix()
            cube[:3, 3] = x, y, SIZE / 2
            self.cubes[name] = cube
        self.held = None
        self.closed_for = 0

    def view(self):
        return View(eef_poses={"arm": self.hand.copy()}, object_poses={n: c.copy() for n, c in self.cubes.items()})

    def step(self, hand):
        before = self.hand.copy()
        self.hand[:3, 3] += hand.twist[:3] / HZ
        self.hand[:3, :3] = Rotation.from_rotvec(hand.twist[3:] / HZ).as_matrix() @ self.hand[:3, :3]
        self.closed_for = self.closed_for + 1 if hand.grip > 0.5 else 0
        if self.closed_for == 0 and self.held:
            self._drop(self.held)
            self.held = None
        elif self.closed_for == 4:
            near = [n for n, c in self.cubes.items() if np.linalg.norm(c[:3, 3] - self.hand[:3, 3]) < 0.02]
            self.held = near[0] if near else None
            self.grasped_with = self.hand[:3, :3].copy()
        if self.held:
            cube = self.cubes[self.held]
            cube[:] = self.hand @ np.linalg.inv(before) @ cube

    def _drop(self, name):
        cube = self.cubes[name]
        below = [
            c[2, 3] + SIZE
            for n, c in self.cubes.items()
            if n != name and np.linalg.norm(c[:2, 3] - cube[:2, 3]) < SIZE / 2 and c[2, 3] < cube[2, 3]
        ]
        cube[2, 3] = max([SIZE / 2, *below])


def oracle():
    stages = (pick_and_place("b", "a", height_m=SIZE), pick_and_place("c", "b", height_m=SIZE))
    return Oracle(eef="arm", stages=stages)


def play(seed, steps=1200, world=None, **cfg):
    world = world or World(seed)
    operator = ScriptedOperator(
        oracle(), control_hz=HZ, seed=seed, symmetry=dict.fromkeys("abc", 4), cfg=ScriptedCfg(**cfg)
    )
    frames = []
    for tick in range(steps):
        operator.advance(tick / HZ, world.view())
        frames.append(operator.latest())
        world.step(frames[-1].hands["arm"])
        if operator.done:
            break
    return world, operator, frames


@pytest.mark.parametrize("seed", range(20))
def test_it_builds_the_tower(seed):
    world, operator, _ = play(seed)
    assert operator.done
    a, b, c = (world.cubes[name][:3, 3] for name in "abc")
    for lower, upper in ((a, b), (b, c)):
        assert np.linalg.norm(upper[:2] - lower[:2]) < 0.02
        assert upper[2] - lower[2] == pytest.approx(SIZE)


def test_the_same_seed_moves_the_same_and_another_does_not():
    twists = [np.array([frame.hands["arm"].twist for frame in play(seed)[2]]) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(twists[0], twists[1])
    assert len(twists[0]) != len(twists[2]) or not np.allclose(twists[0], twists[2])


def test_a_missed_grasp_is_noticed_and_tried_again():
    outcomes = [play(seed, miss_chance=0.5)[1] for seed in range(8)]
    assert all(operator.done for operator in outcomes)
    assert sum(operator.mistakes for operator in outcomes) > 4


def test_a_cube_snatched_from_the_hand_is_fetched_again():
    class Thief(World):
        stolen = False

        def step(self, hand):
            super().step(hand)
            if self.held == "b" and self.hand[2, 3] > 0.1 and not self.stolen:
                self.stolen, self.held = True, None
                self.cubes["b"][:3, 3] = 0.55, -0.1, SIZE / 2

    world, operator, _ = play(0, world=Thief(0), miss_chance=0.0)
    assert world.stolen and operator.done and operator.mistakes > 0


@pytest.mark.parametrize("seed", range(4))
def test_a_tool_is_held_beside_what_it_is_for_and_taken_up_again_when_it_is_lost(seed):
    class Thief(World):
        stolen = False

        def step(self, hand):
            super().step(hand)
            if self.held == "a" and self.hand[2, 3] > 0.16 and not self.stolen:
                self.stolen, self.held = True, None
                self.cubes["a"][:3, 3] = 0.4, -0.2, SIZE / 2

    beside = (-0.15, 0.0, 0.0)
    take = Stage(
        waypoints=(
            Waypoint(about="a", height_m=0.1, closed=False),
            Waypoint(about="a", height_m=0.0, closed=False, careful=True),
            Waypoint(about=None, height_m=0.0, closed=True),
            Waypoint(about=None, height_m=0.1, closed=True, brings="a"),
        )
    )
    use = Stage(
        waypoints=(
            Waypoint(about=None, height_m=0.1, closed=True, brings="a"),
            Waypoint(about="c", height_m=0.1, closed=True, brings="a", off_m=beside, careful=True),
        )
    )
    world, way = Thief(seed), Oracle(eef="arm", stages=(take, use))
    world.cubes["b"][:2, 3] = world.cubes["c"][:2, 3] + (0.0, 0.06)  # in the way of fingers, had they to go there
    operator = ScriptedOperator(
        way, control_hz=HZ, seed=seed, symmetry=dict.fromkeys("abc", 4), cfg=ScriptedCfg(miss_chance=0.0)
    )
    for tick in range(900):
        operator.advance(tick / HZ, world.view())
        world.step(operator.latest().hands["arm"])
        if operator.done:
            break
    assert world.stolen and operator.done and operator.mistakes == 1
    off = world.cubes["a"][:3, 3] - world.cubes["c"][:3, 3]
    forward = world.hand[:3, 0]
    np.testing.assert_allclose(off, beside[0] * forward + (0.0, 0.0, 0.1), atol=0.02)
    assert forward[0] > 0.7, "of all turns of the cube, that which suits the wrist"


@pytest.mark.parametrize("side", [0.0, np.pi / 2, 1.2])
def test_the_fingers_go_where_no_other_cube_lies(side):
    world = World(1)
    beside = np.array((np.cos(side), np.sin(side)))
    world.cubes["b"][:3, :3] = world.cubes["c"][:3, :3] = Rotation.from_euler("z", side).as_matrix()
    world.cubes["c"][:2, 3] = world.cubes["b"][:2, 3] + 0.042 * beside
    play(1, world=world, steps=150, aim_rad=0.0, miss_chance=0.0)
    fingers = world.grasped_with[:2, 1]
    assert abs(fingers @ beside) < 0.3


def test_it_asks_to_start_once_and_sees_the_world_late():
    cfg = {"reaction_s": (0.2, 0.2), "tremor_m_s": 0.0, "tremor_rad_s": 0.0, "pause_chance": 0.0}
    _, _, frames = play(0, **cfg)
    assert [frame.events for frame in frames[:2]] == [(Command.START,), ()]
    assert all(frame.events == () for frame in frames[1:])


@pytest.mark.parametrize("seed", range(6))
def test_a_hand_that_reaches_forward_comes_from_behind_and_turns_with_the_object(seed):
    world = World(seed)
    world.hand[:3, :3] = FORWARD
    world.hand[:3, 3] = 0.25, -0.1, 0.2
    waypoints = (
        Waypoint(about="b", height_m=0.0, closed=False, off_m=(0.0, 0.0, -0.12)),
        Waypoint(about="b", height_m=0.0, closed=False, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=0.1, closed=True, brings="b"),
    )
    way = Oracle(eef="arm", stages=(Stage(waypoints=waypoints),), held=FORWARD, miss_m=0.12)
    operator = ScriptedOperator(way, control_hz=HZ, seed=seed, symmetry={"b": 4}, cfg=ScriptedCfg(miss_chance=0.3))
    cube, path = world.cubes["b"].copy(), []
    for tick in range(600):
        operator.advance(tick / HZ, world.view())
        path.append((np.linalg.inv(cube) @ world.hand, world.held))
        world.step(operator.latest().hands["arm"])
        if operator.done:
            break
    assert operator.done and world.cubes["b"][2, 3] > 0.09
    grasp = next(place for place, (_, held) in enumerate(path) if held)
    pointing = path[grasp][0][:3, 2]
    assert abs(pointing[2]) < 0.05 and min(abs(pointing[0]), abs(pointing[1])) < 0.2  # level, along a side of the cube
    beside = [off - (off @ pointing) * pointing for off in (hand[:3, 3] for hand, _ in path[:grasp])]
    near = [np.linalg.norm(one) for (hand, _), one in zip(path, beside, strict=False) if hand[:3, 3] @ pointing > -0.06]
    assert max(near) < 0.03  # nothing but along its own axis


@pytest.mark.parametrize("seed", range(4))
def test_what_is_put_through_something_comes_along_its_axis(seed):
    world = World(seed)
    ring = world.cubes["a"]
    ring[:3, :3] = Rotation.from_euler("z", 0.3).as_matrix()
    waypoints = (
        Waypoint(about="b", height_m=0.1, closed=False),
        Waypoint(about="b", height_m=0.0, closed=False, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=0.1, closed=True, brings="b"),
        Waypoint(about="a", height_m=0.2, closed=True, brings="b", careful=True, along=(-1.0, 0.0, 0.0)),
    )
    way = Oracle(eef="arm", stages=(Stage(waypoints=waypoints),))
    operator = ScriptedOperator(way, control_hz=HZ, seed=seed, symmetry={"b": 4}, cfg=ScriptedCfg(miss_chance=0.0))
    path = []
    for tick in range(600):
        operator.advance(tick / HZ, world.view())
        path.append((np.linalg.inv(ring) @ world.cubes["b"])[:3, 3] - (0.0, 0.0, 0.2))
        world.step(operator.latest().hands["arm"])
        if operator.done:
            break
    assert operator.done and np.linalg.norm(path[-1]) < 0.02
    beside = [np.linalg.norm(off[1:]) for off in path if abs(off[0]) < 0.06]
    assert len(beside) > 5 and max(beside) < 0.025


@pytest.mark.parametrize("seed", range(3))
def test_a_hand_tips_about_its_own_x_axis_and_comes_upright_again(seed):
    world = World(seed)
    over = Waypoint(about="a", height_m=0.2, closed=False)
    stage = Stage(waypoints=(over, replace(over, tipped_rad=1.5, careful=True), replace(over, careful=True)))
    cfg = ScriptedCfg(tremor_rad_s=0.0, aim_rad=0.0)
    operator = ScriptedOperator(Oracle(eef="arm", stages=(stage,)), control_hz=HZ, seed=seed, cfg=cfg)
    tips = []
    for tick in range(400):
        operator.advance(tick / HZ, world.view())
        world.step(operator.latest().hands["arm"])
        down = world.hand[:3, 2]
        tips.append(np.arccos(np.clip(-down[2], -1.0, 1.0)))
        if operator.done:
            break
    assert operator.done and max(tips) == pytest.approx(1.5, abs=0.1) and tips[-1] < 0.1
    assert abs(world.hand[2, 0]) < 0.02, "its x axis stays level"


@pytest.mark.parametrize("at_ease", [False, True])
def test_a_hand_presents_what_it_holds_as_it_was_held_at_first_or_as_it_took_it(at_ease):
    world = World(0)
    world.cubes["b"][:3, :3] = Rotation.from_euler("z", 0.6).as_matrix()
    waypoints = (
        Waypoint(about="b", height_m=0.1, closed=False),
        Waypoint(about="b", height_m=0.0, closed=False, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=0.0, place_m=(0.4, 0.0, 0.3), closed=True, careful=True, at_ease=at_ease),
    )
    way = Oracle(eef="arm", stages=(Stage(waypoints=waypoints),))
    operator = ScriptedOperator(way, control_hz=HZ, seed=0, symmetry={"b": 4}, cfg=ScriptedCfg(miss_chance=0.0))
    for tick in range(600):
        operator.advance(tick / HZ, world.view())
        world.step(operator.latest().hands["arm"])
        if operator.done:
            break
    assert operator.done
    assert np.arctan2(world.hand[1, 0], world.hand[0, 0]) == pytest.approx(0.0 if at_ease else 0.6, abs=0.15)


def fit(seed, lean_rad=0.0, shove=None, cfg=None):
    """Bring the lower end of "b" to 10 cm above "a", and let it down to 4 cm; "b" leans in the hand."""
    tip = np.array((0.0, 0.0, -0.05))
    world = World(seed)
    over = Waypoint(about="a", height_m=0.1, closed=True, careful=True, brings="b", tip_m=tuple(tip), within_m=0.002)
    waypoints = (
        Waypoint(about="b", height_m=0.1, closed=False),
        Waypoint(about="b", height_m=0.0, closed=False, careful=True),
        Waypoint(about=None, height_m=0.0, closed=True),
        Waypoint(about=None, height_m=0.2, closed=True, brings="b"),
        replace(over, height_m=0.15, careful=False, within_m=None),
        over,
        replace(over, height_m=0.04),
    )
    way = Oracle(eef="arm", stages=(Stage(waypoints=waypoints),))
    cfg = replace(cfg or ScriptedCfg(), miss_chance=0.0)
    operator = ScriptedOperator(way, control_hz=HZ, seed=seed, symmetry={"a": 4, "b": 4}, cfg=cfg)
    path, at = [], []
    for tick in range(1500):
        operator.advance(tick / HZ, world.view())
        world.step(operator.latest().hands["arm"])
        if world.held and not path:
            cube = world.cubes["b"]
            cube[:3, :3] = Rotation.from_euler("x", lean_rad).as_matrix() @ cube[:3, :3]
        if world.held:
            path.append((world.cubes["b"] @ (*tip, 1.0))[:3] - world.cubes["a"][:3, 3])
            at.append(operator._place)
        if shove and at and at[-1] == 6 and path[-1][2] < 0.08:
            world.hand[:2, 3] += shove
            world.cubes["b"][:2, 3] += shove
            shove = None
        if operator.done:
            break
    assert operator.done
    return np.array(path[:-1]), np.array(at[:-1]), operator


@pytest.mark.parametrize("seed", range(4))
def test_the_end_of_what_leans_in_the_hand_is_what_arrives(seed):
    path, at, _ = fit(seed, lean_rad=0.1)
    assert np.linalg.norm(path[-1] - (0.0, 0.0, 0.04)) < 0.004
    let_down = path[at == 6]
    assert len(let_down) > 10 and np.abs(let_down[:, :2]).max() < 0.004, "its middle is 5 mm beside"


@pytest.mark.parametrize("seed", range(4))
def test_what_fits_narrowly_is_let_down_slowly(seed):
    path, at, _ = fit(seed)
    slow, fast = (np.abs(np.diff(path[at == place, 2])).max() * HZ for place in (6, 4))
    assert slow < 14 * 0.002 + 0.01 and fast > 2 * slow


def test_what_went_astray_comes_up_and_is_aligned_anew():
    _, undisturbed, steady = fit(0)
    path, at, operator = fit(0, shove=(0.02, 0.0))
    assert operator.mistakes == steady.mistakes + 1
    fallen_back = np.flatnonzero(np.diff(at) < 0)
    assert len(fallen_back) == 1 and (np.diff(undisturbed) >= 0).all()
    after = path[fallen_back[0] + 1 :]
    assert after[:, 2].max() > 0.09, "it came up again"


def test_a_task_without_a_script_says_so():
    class Info:
        id, eef_names, objects, subtasks = "Some-Task-v0", ("arm",), ("mug",), {"arm": ()}

    with pytest.raises(UserError, match="Some-Task-v0"):
        find_oracle(Info())
