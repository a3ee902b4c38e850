"""Laws of cutting, choosing, fitting, bridging and disturbing segments."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from augment_world import SUBTASKS, load, planners, subtask, write_source
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apprentice.augment.attempt import ArmState, Attempt, Mark
from apprentice.augment.cfg import AugmentCfg, NoiseCfg, RetryCfg
from apprentice.augment.paths import bridge
from apprentice.augment.paths.transform import displacements, drawn_along, grasp_correction, held_object, turned
from apprentice.augment.planning import noise
from apprentice.augment.planning.constraints import Constraints
from apprentice.augment.planning.plan import Scene
from apprentice.augment.planning.select import Starts
from apprentice.augment.planning.select import choose as choose_demo
from apprentice.augment.play.retry import go_back, note_failure
from apprentice.augment.sources.contact import gripper_changes
from apprentice.augment.sources.demos import SourceDemo
from apprentice.augment.sources.segment import draw_boundaries, nominal_boundaries
from apprentice.errors import UserError
from apprentice.poses import exp_rotation, inverse, make_pose, position, rotation, rotation_angle, rotation_z

vectors = arrays(np.float64, 3, elements=st.floats(-1, 1))


@st.composite
def poses(draw: st.DrawFn) -> torch.Tensor:
    return make_pose(torch.from_numpy(draw(vectors)), exp_rotation(torch.from_numpy(draw(vectors)) * 3))


def shift(x: float, y: float = 0.0, z: float = 0.0) -> torch.Tensor:
    return make_pose(torch.tensor([x, y, z], dtype=torch.float64), torch.eye(3, dtype=torch.float64))


def signals_demo(name: str, length: int, **rises: int) -> SourceDemo:
    still = torch.eye(4, dtype=torch.float64).expand(length, 4, 4)
    return SourceDemo(
        name=name,
        length=length,
        eef={"hand": still},
        target={"hand": still},
        gripper={"hand": torch.ones(length, 1)},
        objects={},
        signals={signal: np.arange(length) >= step for signal, step in rises.items()},
    )


PARTS = [subtask("a", "one", (1, 4)), subtask("b", "two", (0, 3)), subtask("c", None)]


@given(first=st.integers(1, 10), gap=st.integers(1, 10), rest=st.integers(1, 10), seed=st.integers(0, 1000))
def test_segments_are_in_order_not_empty_and_inside_the_demo(first, gap, rest, seed):
    demo = signals_demo("demo_0", first + gap + rest + 2, one=first, two=first + gap)
    _, nominal = nominal_boundaries([demo], PARTS, "hand")
    drawn = draw_boundaries(nominal, np.array([demo.length]), PARTS, np.random.default_rng(seed))[0]
    assert drawn[0, 0] == 0
    assert (drawn[:, 1] > drawn[:, 0]).all()
    assert (drawn[1:, 0] == drawn[:-1, 1]).all()
    assert drawn[-1, 1] == demo.length


def test_both_ends_of_the_offset_ranges_are_drawn():
    demo = signals_demo("demo_0", 100, one=20, two=60)
    parts = [subtask("a", "one", (1, 4)), subtask("b", "two", (0, 3)), subtask("c", None)]
    parts[0].first_subtask_start_offset_range = (0, 5)
    _, nominal = nominal_boundaries([demo], parts, "hand")
    rng = np.random.default_rng(0)
    drawn = np.stack([draw_boundaries(nominal, np.array([100]), parts, rng)[0] for _ in range(300)])
    assert set(drawn[:, 0, 0]) == {0, 1, 2, 3, 4, 5}
    assert set(drawn[:, 0, 1] - 21) == {1, 2, 3, 4}  # the step at which the signal is up belongs to the subtask
    assert set(drawn[:, 1, 1] - 61) == {0, 1, 2, 3}


def test_demos_without_their_signals_are_left_out_and_named_when_none_is_left():
    good = signals_demo("demo_0", 50, one=10, two=30)
    never = signals_demo("demo_1", 50, one=10, two=80)
    swapped = signals_demo("demo_2", 50, one=30, two=10)
    usable, nominal = nominal_boundaries([never, good, swapped], PARTS, "hand")
    assert usable == [1]
    assert nominal.tolist() == [[[0, 11], [11, 31], [31, 50]]]
    with pytest.raises(UserError, match="demo_1: 'two' never rises"):
        nominal_boundaries([never], PARTS, "hand")
    with pytest.raises(UserError, match="demo_2: its subtask signals do not rise in the task's order"):
        nominal_boundaries([swapped], PARTS, "hand")


@given(source=poses(), present=poses(), target=poses(), eef=poses(), order=st.sampled_from([1, 2, 4]))
def test_the_hand_does_to_the_object_what_it_did_in_the_source(source, present, target, eef, order):
    moved = displacements(source, present, target, eef, order)[0] @ target
    seen_from_object = inverse(present) @ moved
    as_in_source = inverse(source) @ target
    turns = turned(torch.eye(4, dtype=torch.float64), order) @ as_in_source
    assert float((turns - seen_from_object).abs().amax((1, 2)).min()) < 1e-9


@given(source=poses(), present=poses(), target=poses(), eef=poses())
def test_symmetry_never_makes_the_hand_turn_further(source, present, target, eef):
    def turn(order: int) -> float:
        moved = displacements(source, present, target, eef, order)[0] @ target
        return float(rotation_angle(rotation(eef).T @ rotation(moved)))

    assert turn(4) <= turn(2) + 1e-9 <= turn(1) + 2e-9


@given(source=poses(), present=poses(), target=poses(), eef=poses())
def test_further_turns_come_in_order(source, present, target, eef):
    moved = displacements(source, present, target, eef, 4) @ target
    turns = rotation_angle(rotation(eef).T @ rotation(moved))
    assert (turns.diff() >= -1e-9).all()


def test_a_cube_turned_by_a_quarter_is_the_same_cube():
    source, eef = shift(0.5), shift(0.5, 0.0, 0.2)
    quarter = source @ make_pose(torch.zeros(3, dtype=torch.float64), rotation_z(torch.tensor(math.pi / 2).double()))
    moved = displacements(source, quarter, eef, eef, 4)[0]
    torch.testing.assert_close(moved @ eef, eef)


@given(source_eef=poses(), source_held=poses(), present_eef=poses(), slip=vectors)
def test_the_held_object_not_the_hand_follows_the_path(source_eef, source_held, present_eef, slip):
    in_hand = inverse(source_eef) @ source_held
    now = make_pose(position(in_hand) + torch.from_numpy(slip) * 0.02, rotation(in_hand))
    correction = grasp_correction(source_eef, source_held, present_eef, present_eef @ now)
    torch.testing.assert_close(position(source_eef @ correction @ now), position(source_held), atol=1e-9, rtol=0)


def test_what_travels_with_the_hand_is_held():
    steps = torch.linspace(0, 0.4, 30, dtype=torch.float64)
    hand = torch.stack([shift(float(x)) for x in steps])
    below = hand @ shift(0.0, 0.0, -0.05)
    still = shift(0.2).expand(30, 4, 4)
    far = hand @ shift(0.0, 0.5)
    assert held_object(hand, {"still": still, "far": far, "below": below}, about="still") == "below"
    assert held_object(hand, {"still": still, "far": far, "below": below}, about="below") is None
    assert held_object(still, {"still": still}, about=None) is None


def test_what_is_carried_slowly_at_first_is_held_and_what_is_put_down_later_was():
    steps = torch.cat((torch.linspace(0, 0.02, 20), torch.linspace(0.02, 0.3, 10))).double()
    hand = torch.stack([shift(float(x)) for x in steps])
    assert held_object(hand, {"tool": hand @ shift(0.0, 0.0, -0.05)}, about=None) == "tool"
    left_behind = torch.stack([shift(min(float(x), 0.1)) for x in steps])
    assert held_object(hand, {"tool": left_behind}, about=None) == "tool"
    fetched = torch.stack([shift(max(float(x), 0.015)) for x in steps])
    assert held_object(hand, {"tool": fetched}, about=None) is None


def test_what_a_held_tool_pushes_is_drawn_along():
    steps = torch.linspace(0, 0.4, 30, dtype=torch.float64)
    hand = torch.stack([shift(float(x)) for x in steps])
    # it lies still until the blade comes to it
    pushed = torch.stack([shift(max(float(x), 0.02) + 0.3) for x in steps])
    met = torch.stack([shift(max(float(x) + 0.3, 0.5)) for x in steps])
    objects = {"tool": hand, "still": shift(0.2).expand(30, 4, 4), "pushed": pushed, "met": met, "goal": pushed}
    assert drawn_along(hand, objects, about="goal", held="tool") == {"pushed"}
    assert drawn_along(hand, objects, about="goal", held=None) == frozenset()


@given(start=poses(), end=poses(), steps=st.integers(0, 8), still=st.integers(0, 3))
def test_a_fixed_bridge_has_the_steps_that_the_task_says(start, end, steps, still):
    way = bridge.fixed(start, end, steps, still)
    assert way.shape == (steps + still, 4, 4)
    for pose in way[steps:]:
        torch.testing.assert_close(pose, end, atol=1e-6, rtol=0)
    spacing = torch.diff(torch.cat((position(start)[None], position(way[:steps]), position(end)[None])), dim=0)
    torch.testing.assert_close(spacing, spacing[:1].expand_as(spacing))


def test_noise_is_quiet_around_every_gripper_change_and_quieter_on_retries():
    gripper = torch.cat((torch.ones(40, 1), -torch.ones(40, 1), torch.ones(40, 1)))
    hand = torch.linspace(0, 2.4, 120)[:, None] * torch.tensor([1.0, 0.0, 0.0])
    cfg = NoiseCfg()
    levels = noise.shaped(noise.near_contact(gripper, hand, cfg), 0.03, 0, cfg)
    for change in (40, 80):
        assert (levels[change - cfg.steps_before : change + cfg.steps_after] == cfg.near_contact).all()
    assert levels[0] == levels[60] == levels[-1] == 0.03
    torch.testing.assert_close(
        noise.shaped(noise.near_contact(gripper, hand, cfg), 0.03, 2, cfg), levels * cfg.per_retry**2
    )
    assert gripper_changes(torch.ones(10, 2)) == []


def test_a_slow_hand_is_near_contact_for_longer():
    gripper = torch.cat((torch.ones(60, 1), -torch.ones(20, 1)))
    hand = torch.linspace(0, 0.08, 80)[:, None] * torch.tensor([0.0, 0.0, 1.0])
    cfg = NoiseCfg()
    near = noise.near_contact(gripper, hand, cfg).nonzero().flatten()
    assert float(hand[60, 2] - hand[int(near[0]), 2]) == pytest.approx(cfg.near_m, abs=0.001)
    assert int(near[-1]) == 60 + cfg.steps_after - 1


def test_a_slow_analogue_gripper_is_not_taken_for_contact():
    assert gripper_changes(torch.linspace(0, 1, 50)[:, None]) == []


def test_noise_has_the_size_it_was_asked_for_and_none_where_there_should_be_none():
    targets = torch.eye(4, dtype=torch.float64).repeat(4000, 1, 1)
    levels = torch.full((4000,), 0.02, dtype=torch.float64)
    levels[:5] = 0.0
    moved = noise.perturb(targets, levels, torch.zeros(len(targets), 6, dtype=torch.float64), np.random.default_rng(0))
    assert (moved[:5] == targets[:5]).all()
    assert float(position(moved[5:]).std()) == pytest.approx(0.02, rel=0.05)
    angles = rotation_angle(rotation(moved[5:]))
    assert float((angles**2).mean().sqrt()) == pytest.approx(0.02 * 3**0.5, rel=0.05)


def line_demo(name: str, x: float) -> SourceDemo:
    path = torch.stack([shift(x) for _ in range(5)])
    return replace(
        signals_demo(name, 5), eef={"hand": path}, target={"hand": path}, objects={"cube": shift(0.0).expand(5, 4, 4)}
    )


def test_the_nearest_segment_is_chosen_most_and_a_failed_one_avoided():
    demos = [line_demo("demo_0", 0.5), line_demo("demo_1", 0.1), line_demo("demo_2", 0.9)]
    rng = np.random.default_rng(0)

    def choose(failed: list[int]) -> np.ndarray:
        distances = Starts(demos, "hand").distances(np.zeros(3, int), "cube", shift(1.1), shift(1.0), 1)
        picks = [choose_demo(distances, None, failed, rng) for _ in range(200)]
        return np.bincount(picks, minlength=3) / 200

    assert choose([])[1] > 0.9
    assert choose([1, 1])[1] < 0.4


@given(order=st.sampled_from([2, 4]), turns=st.integers(0, 3))
def test_selection_sees_through_symmetry(order, turns):
    demos = [line_demo("demo_0", 0.1), line_demo("demo_1", 0.6)]
    spin = make_pose(torch.zeros(3).double(), rotation_z(torch.tensor(2 * math.pi * turns / order).double()))
    rng = np.random.default_rng(1)
    distances = Starts(demos, "hand").distances(np.zeros(2, int), "cube", shift(0.1), shift(0.0) @ spin, order)
    picks = [choose_demo(distances, None, [], rng) for _ in range(20)]
    assert np.mean(picks) < 0.2


def test_a_plan_bridges_from_the_hand_and_then_plays_the_segment(tmp_path):
    source = write_source(tmp_path / "source.hdf5")
    cfg = AugmentCfg(noise=NoiseCfg(kind="task"))
    quiet = [
        subtask(part.object_ref, part.subtask_term_signal, part.subtask_term_offset_range) for part in SUBTASKS["hand"]
    ]
    for part in quiet:
        part.action_noise = 0.0
    planner = planners(source, cfg)["hand"]
    planner.subtasks = quiet
    demos = load(source)
    rng = np.random.default_rng(0)
    scene = Scene(eef={"hand": shift(0.0)}, objects={"button": shift(0.3, 0.2), "pad": shift(0.0, 0.5)})
    plan = planner.plan(0, scene, planner.draw(rng), failed=[], keep_demo=1, last_target=None, rng=rng)
    assert len(plan.targets) == len(plan.gripper) == plan.bridge_steps + plan.end - plan.start <= planner.max_steps
    there = demos[1].target["hand"][plan.start : plan.end, :3, 3] - demos[1].objects["button"][0, :3, 3]
    here = plan.targets[plan.bridge_steps :, :3, 3].double() - torch.tensor([0.3, 0.2, 0.0], dtype=torch.float64)
    torch.testing.assert_close(here, there, atol=1e-6, rtol=0)
    assert plan.needs_signal_at_end


def test_a_task_that_goes_at_half_the_pace_takes_twice_as_long_to_the_next_segment(tmp_path):
    scene = Scene(eef={"hand": shift(0.0)}, objects={"button": shift(0.3, 0.2), "pad": shift(0.0, 0.5)})
    source = write_source(tmp_path / "source.hdf5")

    def steps(pace: float) -> int:
        planner, rng = planners(source, AugmentCfg(), pace)["hand"], np.random.default_rng(0)
        plan = planner.plan(0, scene, planner.draw(rng), failed=[], keep_demo=1, last_target=None, rng=rng)
        return plan.bridge_steps

    assert 1.7 < steps(0.5) / steps(1.0) < 2.3


def test_a_plan_rests_until_the_hand_leaves_or_the_gripper_moves(tmp_path):
    planner = planners(write_source(tmp_path / "source.hdf5"), AugmentCfg())["hand"]
    scene = Scene(eef={"hand": shift(0.0)}, objects={"button": shift(0.3, 0.2), "pad": shift(0.0, 0.5)})
    rng = np.random.default_rng(0)
    plan = planner.plan(0, scene, planner.draw(rng), failed=[], keep_demo=1, last_target=None, rng=rng)
    path = torch.stack([shift(x) for x in (0.0, 0.1, 0.1, 0.105, 0.102, 0.2, 0.2, 0.2)])
    still = replace(plan, labels=path, gripper=torch.ones(8, 1))
    assert [still.rests_until(step) for step in (0, 1, 4, 5, 7)] == [1, 5, 5, 8, 8]
    closing = replace(still, gripper=torch.tensor([[1.0]] * 3 + [[-1.0]] * 5))
    assert [closing.rests_until(step) for step in (1, 3)] == [3, 5]


def test_impossible_options_are_refused():
    with pytest.raises(UserError, match="demos to be at least 1, found 0"):
        AugmentCfg(demos=0)
    with pytest.raises(UserError, match="wait_steps to be at least 10"):
        AugmentCfg(wait_steps=3)


def test_an_attempt_goes_further_back_each_time_its_tries_are_used_up():
    attempt = Attempt(
        number=0, seed=0, rng=np.random.default_rng(0), initial_objects={}, arms={"hand": ArmState(3, None, 0)}
    )
    plan = SimpleNamespace(demo=0, region=0)

    def reach_last():
        for key in (("hand", index) for index in range(4)):
            if key not in attempt.marks:
                attempt.marks[key] = Mark(f"snapshot {key[1]}", 0, 10 * key[1], {"hand": ArmState(key[1], None, 0)})
                attempt.played[key], attempt.failed[key] = plan, []

    last, snapshots = ("hand", 3), []
    for _ in range(7):
        reach_last()
        note_failure(attempt, last, Constraints())
        mark = go_back(attempt, last, RetryCfg(tries=2, step_backs=3), Constraints())
        snapshots.append(None if mark is None else mark.snapshot)
        assert attempt.arms == mark.arms
        assert attempt.arms["hand"].subtask == max(index for _, index in attempt.marks)
    assert snapshots == [f"snapshot {index}" for index in (3, 2, 3, 1, 3, 0, 3)]
    reach_last()
    note_failure(attempt, last, Constraints())
    assert go_back(attempt, last, RetryCfg(tries=2, step_backs=3), Constraints()) is None
    assert attempt.failures[last] == 8
