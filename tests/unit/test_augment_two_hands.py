"""Two hands keep the order that a task asks for, do together what belongs together, and go back together."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from two_hands_world import (
    LIFT,
    SUBTASKS,
    TwoHandsWorld,
    coordinated,
    planners,
    sequential,
    subtask,
    write_source,
)

from apprentice.augment.cfg import AugmentCfg, BridgeCfg, NoiseCfg, RetryCfg
from apprentice.augment.lessons import Assignment
from apprentice.augment.planning.constraints import Constraints, Order, read_constraints
from apprentice.augment.play.rollout import Rollout
from apprentice.demos import EXECUTED
from apprentice.errors import UserError

CFG = AugmentCfg(
    seed=5,
    held_steps=4,
    wait_steps=8,
    bridge=BridgeCfg(speed_m_s=1.0),
    noise=NoiseCfg(near_contact=0.002, on_bridge=0.002),
    give_up_after=30,
)
for parts in SUBTASKS.values():
    for part in parts:
        part.action_noise = 0.002


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_source(tmp_path_factory.mktemp("source") / "source.hdf5")


def attempts(source, constraints, count=12, cfg=CFG, num_envs=4, subtasks=SUBTASKS):
    world = TwoHandsWorld(num_envs, constraints, subtasks)
    numbers = iter(map(Assignment, range(count)))
    ended = Rollout(world, planners(source, cfg, subtasks), cfg).run(lambda: next(numbers, None))
    return sorted(ended, key=lambda one: one.outcome.number)


def begun(one, eef, index):
    (found,) = (part["step"] for part in one.outcome.subtasks if (part["eef"], part["index"]) == (eef, index))
    return found


def part(one, eef, index):
    return next(p for p in one.outcome.subtasks if (p["eef"], p["index"]) == (eef, index))


def hands(one):
    return one.data["obs/hands"].reshape(-1, 2, 3)


def targets(one, eef):
    return one.data[f"obs/datagen_info/target_eef_pose/{eef}"][:, :3, 3]


def test_without_constraints_each_hand_goes_its_own_way(source):
    for one in attempts(source, []):
        assert begun(one, "left", 0) == begun(one, "right", 0) == 0
        assert begun(one, "left", 1) != begun(one, "right", 1)


def test_a_hand_that_has_to_wait_stays_where_it_is(source):
    found = attempts(source, [sequential(("left", 0), ("right", 0)), LIFT])
    assert all(one.outcome.success for one in found)
    for one in found:
        begins = begun(one, "right", 0)
        assert one.data["obs/datagen_info/subtask_term_signals/press_left"][begins]
        right = hands(one)[:, 1]
        np.testing.assert_allclose(right[: begins + 1], np.broadcast_to(right[0], (begins + 1, 3)), atol=1e-6)
        assert begun(one, "right", 1) > begins


@pytest.mark.parametrize("left", [0, 1, 6])
def test_a_hand_keeps_back_its_last_steps_until_the_other_has_finished(source, left):
    # the right hand is the slower one in the source
    found = attempts(
        source, [sequential(("right", 0), ("left", 0), left), coordinated(("left", 1), ("right", 1), together=False)]
    )
    assert all(one.outcome.success for one in found)
    once = [one for one in found if part(one, "left", 0)["tries"] == 1]  # a second try takes longer
    assert len(once) >= 10
    for one in once:
        assert begun(one, "left", 0) == 0
        right_ended, left_ended = begun(one, "right", 1), begun(one, "left", 1)
        # with nothing kept back it ends one step later at the soonest: it has to see that the other has ended
        assert left_ended - right_ended >= max(left, 1)
        assert left_ended - right_ended <= left + 1


def test_without_the_order_the_quicker_hand_finishes_first(source):
    for one in attempts(source, [coordinated(("left", 1), ("right", 1), together=False)]):
        if not any(p["failures"] for p in one.outcome.subtasks):
            assert begun(one, "left", 1) < begun(one, "right", 1)


@pytest.mark.parametrize("together", [True, False])
def test_what_is_done_together_comes_from_one_demo_moved_as_one(source, together):
    found = attempts(source, [coordinated(("left", 1), ("right", 1), together=together)])
    assert sum(one.outcome.success for one in found) >= 10
    demos = set()
    for one in found:
        left, right = part(one, "left", 1), part(one, "right", 1)
        assert left["source_demo"] == right["source_demo"]
        assert left["end"] == right["end"]
        demos.add(left["source_demo"])
        if together:
            assert left["step"] == right["step"]
        if one.outcome.success:
            # both hands are told the same motion while they lift, so their targets stay as far apart as in the source
            apart = (targets(one, "left") - targets(one, "right"))[-CFG.held_steps - 15 :]
            np.testing.assert_allclose(np.linalg.norm(apart, axis=1), 0.3, atol=0.03)
            lift = hands(one)[-CFG.held_steps - 15 :, :, 2]
            np.testing.assert_allclose(lift[:, 0], lift[:, 1], atol=0.02)
    assert len(demos) > 1


@pytest.mark.parametrize(("scheme", "turns", "shifts"), [("REPLAY", 0, 0), ("TRANSLATE", 0, 1), ("TRANSFORM", 1, 1)])
def test_the_scheme_says_how_the_segment_follows_its_object(source, scheme, turns, shifts):
    cfg = dataclasses.replace(CFG, retry=None)
    made = planners(source, cfg)
    world = TwoHandsWorld(8, [coordinated(("left", 1), ("right", 1), scheme)])
    rollout, played = Rollout(world, made, cfg), []
    numbers = iter(map(Assignment, range(8)))
    for planner in made.values():
        plain = planner.plan
        planner.plan = lambda *args, plain=plain, **more: (
            played.append((more["shared"], plain(*args, **more))) or played[-1][1]
        )
    list(rollout.run(lambda: next(numbers, None)))
    moved = [plan.moved for shared, plan in played if shared is not None]
    assert len(moved) >= 8
    for one, other in itertools.batched(moved, 2):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    turned = [float((pose[:3, :3] - torch.eye(3)).norm()) > 1e-3 for pose in moved]
    shifted = [float(pose[:3, 3].norm()) > 1e-3 for pose in moved]
    assert all(turned) if turns else not any(turned)
    assert all(shifted) if shifts else not any(shifted)


def test_noise_of_a_constraint_moves_both_hands_alike(source):
    noisy = coordinated(("left", 1), ("right", 1), shift=0.02, turn=0.05)
    exact, shaken = (attempts(source, [link], 8) for link in (LIFT, noisy))
    assert sum(one.outcome.success for one in shaken) >= 6
    assert any(not np.array_equal(a.data[EXECUTED], b.data[EXECUTED]) for a, b in zip(exact, shaken, strict=True))


def test_one_hand_failing_takes_both_back(source):
    found = attempts(source, [sequential(("left", 0), ("right", 0)), LIFT], 18)
    failed = [one for one in found if any(p["failures"] for p in one.outcome.subtasks)]
    assert len(failed) > 3 and all(one.outcome.success for one in found)
    for one in found:
        left, right = part(one, "left", 1), part(one, "right", 1)
        assert left["failures"] == right["failures"]
        assert left["tries"] == right["tries"] >= left["failures"] + 1
    assert any(part(one, "left", 1)["failures"] for one in found), "expected greasy bars to be dropped"
    assert any(part(one, "left", 0)["failures"] for one in found), "expected slippery buttons to be missed"


@pytest.mark.parametrize("together", [True, False])
def test_stitched_demos_of_two_hands_replay_exactly(source, together):
    links = [sequential(("right", 0), ("left", 0), 3), coordinated(("left", 1), ("right", 1), together=together)]
    stitched = 0
    for one in attempts(source, links, 18):
        stitched += any(p["failures"] for p in one.outcome.subtasks)
        world = TwoHandsWorld(1)
        world.reset([0], [CFG.seed + one.outcome.number])
        for step, action in enumerate(one.data[EXECUTED]):
            np.testing.assert_array_equal(world.hands[0].flatten().numpy(), one.data["obs/hands"][step])
            world.step(torch.as_tensor(action)[None])
        assert bool(world.success()) == one.outcome.success
    assert stitched > 3


@pytest.mark.parametrize("num_envs", [1, 7])
@pytest.mark.parametrize("together", [True, False])
def test_the_number_of_environments_does_not_change_what_two_hands_do(source, num_envs, together):
    links = [sequential(("left", 0), ("right", 0), 4), coordinated(("left", 1), ("right", 1), together=together)]
    for one, other in zip(attempts(source, links), attempts(source, links, num_envs=num_envs), strict=True):
        assert one.outcome == other.outcome
        np.testing.assert_array_equal(one.data[EXECUTED], other.data[EXECUTED])


def test_a_hand_may_have_nothing_to_do_but_hold(source):
    alone = {"left": [subtask("left_button", "press_left"), subtask("bar", None)], "right": [subtask(None, None)]}

    class Still(TwoHandsWorld):
        def success(self):
            return self.pressed[:, 0] > 0

    cfg = dataclasses.replace(CFG, noise=NoiseCfg(kind="task"))
    for parts in alone.values():
        for one in parts:
            one.action_noise = 0.0
    world, numbers = Still(3, [], alone), iter(map(Assignment, range(6)))
    found = list(Rollout(world, planners(source, cfg, alone), cfg).run(lambda: next(numbers, None)))
    assert len(found) == 6 and all(one.outcome.success for one in found)
    for one in found:
        assert part(one, "right", 0)["tries"] >= 1


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ([sequential(("left", 0), ("middle", 0))], "found one about middle 0"),
        ([sequential(("left", 0), ("right", 2))], "right 0 to 1, found one about right 2"),
        ([sequential(("left", 1), ("right", 0)), sequential(("right", 1), ("left", 0))], "wait for each other"),
        ([coordinated(("left", 0), ("right", 1)), sequential(("right", 1), ("left", 0))], "wait for each other"),
        ([coordinated(("left", 0), ("left", 1))], "coordinated with one of another end effector"),
        ([LIFT, LIFT], "coordinated with one of another end effector"),
    ],
)
def test_constraints_that_cannot_be_kept_are_refused(links, said):
    with pytest.raises(UserError, match=said):
        read_constraints(TwoHandsWorld(1, links).env.cfg)


def test_coordination_about_nothing_needs_replay():
    vague = {**SUBTASKS, "left": [SUBTASKS["left"][0], subtask(None, None)]}
    with pytest.raises(UserError, match="Expected an object for subtask left 1"):
        read_constraints(TwoHandsWorld(1, [LIFT], vague).env.cfg)
    replayed = coordinated(("left", 1), ("right", 1), "REPLAY")
    assert read_constraints(TwoHandsWorld(1, [replayed], vague).env.cfg)


def test_a_failure_is_sought_where_the_subtask_depends_on():
    handover = Constraints([Order(("left", 1), ("right", 1), None)])
    assert handover.before(("right", 1)) == {("right", 0), ("left", 1), ("left", 0)}
    assert handover.before(("left", 1)) == {("left", 0)}


def test_retry_is_what_saves_greasy_bars(source):
    plain = attempts(source, [LIFT], 18, dataclasses.replace(CFG, retry=None))
    again = attempts(source, [LIFT], 18, dataclasses.replace(CFG, retry=RetryCfg()))
    assert sum(one.outcome.success for one in plain) < sum(one.outcome.success for one in again)
