"""What conditions promise: seeded, exact, the same in any slot, and undone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tabletop_world import Carrier, TabletopWorld

from apprentice.demos.start_states import read_start_states
from apprentice.errors import UserError
from apprentice.evaluate import results
from apprentice.evaluate.cfg import EvaluateCfg
from apprentice.evaluate.compare import compare
from apprentice.evaluate.robustness import results as suite_results
from apprentice.evaluate.robustness.aftermath import Region
from apprentice.evaluate.robustness.apply import applied, why_not
from apprentice.evaluate.robustness.cfg import NOMINAL, Condition
from apprentice.evaluate.robustness.perception import ErringSight, LateHands
from apprentice.evaluate.robustness.suites import SUITES, load_suite
from apprentice.evaluate.rollouts import evaluate
from apprentice.report import build_report
from apprentice.sim.physics import Physics

CFG = EvaluateCfg(rollouts=24, seed=50, held_steps=4, horizon=300, videos=0)
EVERYWHERE = Region(low_m=(-9.0, -9.0), high_m=(9.0, 9.0))
RED, BLUE = "datagen_info/object_pose/red", "datagen_info/object_pose/blue"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "policy.pth"
    path.write_bytes(b"weights")
    return path


def play(output, checkpoint, condition, *, num_envs=8, region=EVERYWHERE, cfg=CFG, policy=None, world=None):
    world = world or TabletopWorld(num_envs)
    with applied(condition, policy or Carrier(), world, region=region) as (player, interventions):
        arguments = {"interventions": interventions, "condition": condition.changes}
        return evaluate(player, world, cfg, checkpoint=checkpoint, output=output, **arguments)


def facts(directory):
    times = ("wall_seconds", "run", "run_seconds")
    rows = [json.loads(line) for line in (directory / "rollouts.jsonl").read_text().splitlines()[1:]]
    rows = [{key: value for key, value in row.items() if key not in times} for row in rows]
    return sorted(rows, key=lambda row: row["index"])


CONDITIONS = (
    Condition(name="noise", position_noise_m=0.004, rotation_noise_rad=0.1),
    Condition(name="offset", position_noise_m=0.004, constant_noise=True),
    Condition(name="delay", delay_steps=2),
    Condition(name="push", push_m_s=1.0),
    Condition(name="drop", mishap="drop"),
    Condition(name="knock", mishap="knock"),
    Condition(name="miss", mishap="miss"),
    Condition(name="all", position_noise_m=0.002, delay_steps=1, push_m_s=0.5, mishap="drop"),
)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda one: one.name)
def test_rollouts_do_not_depend_on_slots(tmp_path, checkpoint, condition):
    for num_envs in (1, 3, 8):
        play(tmp_path / str(num_envs), checkpoint, condition, num_envs=num_envs, cfg=replace(CFG, rollouts=8))
    assert facts(tmp_path / "1") == facts(tmp_path / "3") == facts(tmp_path / "8")


def test_nominally_the_block_is_carried_home(tmp_path, checkpoint):
    evaluation = play(tmp_path / "out", checkpoint, NOMINAL)
    assert (evaluation.successes, evaluation.rollouts, evaluation.condition) == (24, 24, None)


class Looker(Carrier):
    """Notes what it sees."""

    def __init__(self):
        self.seen = []

    def act(self, obs, env_ids=None):
        self.seen.append({name: value.clone() for name, value in obs.items()})
        return super().act(obs, env_ids)


def test_errors_reach_all_terms_that_tell_a_pose_and_no_others():
    world, looker = TabletopWorld(400), Looker()
    sight = ErringSight(looker, world, position_m=0.01, rotation_rad=0.2, constant=False)
    sight.start(400)
    true = world.reset(range(400), range(400))
    sight.reset(range(400), range(400))
    sight.act(true)
    sight.act(true)
    first, second = looker.seen
    assert torch.equal(first["fingers"], true["fingers"])
    error = first[RED][:, :3, 3] - true[RED][:, :3, 3]
    hand = first["datagen_info/eef_pose/hand"][:, :3, 3] - true["datagen_info/eef_pose/hand"][:, :3, 3]
    # a term that tells the same poses in another way errs in the same way
    torch.testing.assert_close(first["to_red"] - true["to_red"], error - hand)
    for part in (error, hand, first[BLUE][:, :3, 3] - true[BLUE][:, :3, 3]):
        assert part.std().item() == pytest.approx(0.01, rel=0.1)
        assert abs(part.mean().item()) < 0.002
    angle = torch.linalg.matrix_norm(first[RED][:, :3, :3] - torch.eye(3)) / 2**0.5
    assert angle.mean().item() == pytest.approx(0.2 * 1.6, rel=0.1)  # mean length of a normal vector is 1.6 sigma
    again = (second[RED][:, :3, 3] - true[RED][:, :3, 3]).flatten()
    assert abs(np.corrcoef(error.flatten(), again)[0, 1]) < 0.15


def test_a_constant_error_stays_for_a_rollout_and_belongs_to_its_seed():
    world, looker = TabletopWorld(3), Looker()
    sight = ErringSight(looker, world, position_m=0.01, rotation_rad=0.0, constant=True)
    sight.start(3)
    true = world.reset([0, 1, 2], [7, 7, 7])
    sight.reset([0, 1, 2], [4, 5, 4])
    sight.act(true)
    sight.act({name: value[1:] for name, value in true.items()}, torch.tensor([1, 2]))
    first, second = looker.seen
    assert torch.equal(first[RED][1:], second[RED])
    assert torch.equal(first[RED][0], first[RED][2])
    assert not torch.equal(first[RED][0], first[RED][1])
    sight.reset([0], [9])
    sight.act(true)
    assert not torch.equal(looker.seen[-1][RED][0], first[RED][0])
    assert torch.equal(looker.seen[-1][RED][1:], first[RED][1:])


class Counter:
    """Its action is the number of the step since the rollout began."""

    def start(self, num_envs):
        self.age = torch.zeros(num_envs)

    def reset(self, env_ids, seeds):
        self.age[list(env_ids)] = 0

    def act(self, obs, env_ids=None):
        rows = torch.arange(len(self.age)) if env_ids is None else env_ids
        self.age[rows] += 1
        return self.age[rows, None].expand(-1, 4)


@pytest.mark.parametrize("steps", [1, 3])
def test_actions_come_exactly_that_late(steps):
    world = TabletopWorld(3)
    late = LateHands(Counter(), world, steps=steps)
    late.start(3)
    obs = world.observe()
    neutral = [[0.0, 0.0, 0.0, 1.0]] * steps
    acted = [late.act(obs)[0].tolist() for _ in range(6)]
    assert acted == neutral + [[float(k)] * 4 for k in range(1, 7 - steps)]
    late.reset([1], [0])
    after = [late.act({}, torch.tensor([1, 2])) for _ in range(4)]
    assert [row[0].tolist() for row in after] == neutral + [[float(k)] * 4 for k in range(1, 5 - steps)]
    assert [row[1].tolist() for row in after] == [[float(k)] * 4 for k in range(7 - steps, 11 - steps)]


def test_physics_is_changed_for_one_condition_and_put_back(tmp_path, checkpoint):
    world, seen = TabletopWorld(4), []
    step = world.step
    world.step = lambda actions, active=None: (seen.append(list(world.physics)), step(actions, active))[1]
    play(tmp_path / "heavy", checkpoint, Condition(name="heavy", mass=2.0, friction=0.5), world=world)
    wanted = Physics(mass={"red": 2.0, "blue": 2.0}, friction=0.5)
    assert all(physics == [wanted] * 4 for physics in seen)
    assert world.physics == [Physics()] * 4
    with pytest.raises(ZeroDivisionError), applied(Condition(name="light", mass=0.5), Carrier(), world):
        raise ZeroDivisionError
    assert world.physics == [Physics()] * 4


def test_a_push_comes_once_at_a_time_of_its_own(tmp_path, checkpoint):
    world, pushed = TabletopWorld(24), []
    move = world.move_object

    def noted(name, env_ids, **how):
        pushed.append((len(world.executed), name, env_ids[0], how["velocities"][0, :2].norm().item()))
        move(name, env_ids, **how)

    world.move_object = noted
    evaluation = play(tmp_path / "out", checkpoint, Condition(name="push", push_m_s=1.0), world=world)
    assert [row[3] for row in pushed] == pytest.approx([1.0] * len(pushed))
    assert len({env_id for _, _, env_id, _ in pushed}) == len(pushed) == evaluation.rollouts
    assert len({step for step, *_ in pushed}) > 8
    assert {name for _, name, *_ in pushed} == {"red", "blue"}
    assert evaluation.not_counted == {"it ended before the push came": 24 - evaluation.rollouts}


@pytest.mark.parametrize("kind", ["drop", "knock", "miss"])
def test_a_mishap_strikes_is_survived_and_leaves_a_state_to_begin_from(tmp_path, checkpoint, kind):
    evaluation = play(tmp_path / "out", checkpoint, Condition(name=kind, mishap=kind))
    assert evaluation.rollouts >= 20
    assert evaluation.rollouts + sum(evaluation.not_counted.values()) == 24
    assert evaluation.successes == evaluation.rollouts  # the carrier looks anew at every step
    rows = [row for row in facts(tmp_path / "out") if row["not_counted"] is None]
    assert {row["mishap"] for row in rows} == {kind}
    starts = read_start_states(tmp_path / "out" / "mishaps.hdf5")
    assert set(starts.kinds) == {kind}
    assert starts.seeds.tolist() == [row["seed"] for row in rows if row["aftermath"]]
    assert len(starts) >= 0.9 * len(rows)
    red, blue = (starts.states[f"rigid_object/{name}/root_pose"] for name in ("red", "blue"))
    assert (red[:, 2] < 1e-6).all()
    assert (blue[:, 2] < 1e-6).all()
    cfg = replace(CFG, rollouts=len(starts))
    world = TabletopWorld(5)
    from_there = evaluate(Carrier(), world, cfg, checkpoint=checkpoint, output=tmp_path / "again", starts=starts)
    assert [row["kind"] for row in from_there.per_kind] == [kind]
    assert from_there.successes == len(starts)
    assert compare([tmp_path / "out", tmp_path / "out"]).pairs[0].paired.rollouts == evaluation.rollouts


def test_a_suite_joins_what_its_mishaps_left_behind_in_turn(tmp_path, checkpoint):
    conditions = [NOMINAL, *(Condition(name=kind, mishap=kind) for kind in ("drop", "knock", "miss"))]
    for condition in conditions:
        play(tmp_path / condition.name, checkpoint, condition, cfg=replace(CFG, rollouts=6))
    path = suite_results.join_mishaps(tmp_path, conditions)
    joined, knocks = read_start_states(path), read_start_states(tmp_path / "knock" / "mishaps.hdf5")
    assert joined.kinds[:6] == ("drop", "knock", "miss") * 2
    places = [place for place, kind in enumerate(joined.kinds) if kind == "knock"]
    assert joined.select(places).sha256 == knocks.sha256
    assert suite_results.join_mishaps(tmp_path, [NOMINAL]) is None


def steps_of(world, number):
    return torch.stack([actions[number] for actions in world.executed])


def test_a_dropped_block_was_in_the_air_and_the_hand_was_forced(tmp_path, checkpoint):
    world = TabletopWorld(1)
    cfg = replace(CFG, rollouts=1)
    play(tmp_path / "out", checkpoint, Condition(name="drop", mishap="drop"), world=world, cfg=cfg)
    grip = steps_of(world, 0)[:, 3]
    switches = (grip[1:] != grip[:-1]).nonzero().flatten().tolist()
    # closes, is forced open, closes again, opens at the goal
    assert len(switches) >= 4
    assert switches[2] - switches[1] >= 10


def test_a_missed_block_moved_past_the_fingers(tmp_path, checkpoint):
    world, moves = TabletopWorld(24), []
    move = world.move_object

    def noted(name, env_ids, **how):
        moves.append((how["poses"][0, :3] - world.blocks[env_ids[0], 0], world.hand[env_ids[0]].clone()))
        assert (world.blocks[env_ids[0], 0] - world.hand[env_ids[0]]).norm() < 0.04
        move(name, env_ids, **how)

    world.move_object = noted
    play(tmp_path / "out", checkpoint, Condition(name="miss", mishap="miss"), world=world)
    assert len(moves) == 24
    for shift, _ in moves:
        assert 0.035 <= shift.norm().item() <= 0.05
        assert abs(shift[1].item()) < 1e-6  # y leads from finger to finger
    assert {bool(shift[0] > 0) for shift, _ in moves} == {True, False}


def test_a_block_out_of_reach_is_lost_and_does_not_count(tmp_path, checkpoint):
    near = Region(low_m=(0.33, -0.27), high_m=(0.47, 0.5))  # the blue block begins outside
    with pytest.raises(UserError, match=r"none: lost: blue is out of reach"):
        play(tmp_path / "out", checkpoint, Condition(name="drop", mishap="drop"), region=near)
    world = TabletopWorld(8)
    world.edge_m = 0.66  # blocks begin on this side of it
    evaluation = play(tmp_path / "edge", checkpoint, Condition(name="knock", mishap="knock"), world=world)
    assert "lost: blue fell off" in evaluation.not_counted


def test_a_policy_that_never_grasps_gives_no_occasion(tmp_path, checkpoint):
    class Idle(Carrier):
        def act(self, obs, env_ids=None):
            return super().act(obs, env_ids) * 0 + 1

    with pytest.raises(UserError, match="none: there was no occasion for a drop"):
        play(tmp_path / "out", checkpoint, Condition(name="drop", mishap="drop"), policy=Idle())


def test_a_task_that_does_not_tell_how_its_hand_closes_has_no_mishaps(tmp_path, checkpoint):
    world = TabletopWorld(2)
    world.grippers = dict
    with pytest.raises(UserError, match="leave out conditions with a mishap"):
        play(tmp_path / "out", checkpoint, Condition(name="drop", mishap="drop"), world=world)


def test_evaluations_under_different_conditions_do_not_share_a_folder(tmp_path, checkpoint):
    play(tmp_path / "out", checkpoint, Condition(name="late", delay_steps=1))
    with pytest.raises(UserError, match="condition"):
        play(tmp_path / "out", checkpoint, Condition(name="late", delay_steps=2))
    with pytest.raises(UserError, match="condition"):
        play(tmp_path / "out", checkpoint, NOMINAL)


def test_every_suite_begins_with_the_nominal_condition_and_names_are_unique():
    for name in SUITES:
        conditions = load_suite(name)
        assert conditions[0] == NOMINAL
        assert len({condition.name for condition in conditions}) == len(conditions)
        assert all(condition.changes for condition in conditions[1:])
    assert {one.mishap for one in load_suite("recovery")[1:]} == {"drop", "knock", "miss"}


def test_a_user_writes_a_suite(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("conditions:\n- {name: tired, delay_steps: 1, mass: 2}\n- {name: dark, looks: {lights: 0.3}}\n")
    nominal, tired, dark = load_suite(str(path))
    assert (nominal, tired) == (NOMINAL, Condition(name="tired", delay_steps=1, mass=2.0))
    assert dark.looks is not None
    assert dark.looks.lights == 0.3
    assert json.loads(json.dumps(dark.changes)) == dark.changes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("conditions:\n- {name: a, weight: 2}", "weight"),
        ("conditions:\n- {name: a, mass: heavy}", "heavy"),
        ("conditions:\n- {name: a, mass: -1}", "Condition 'a': expected a positive mass"),
        ("conditions:\n- {name: a, mishap: fire}", "drop, knock, miss, found 'fire'"),
        ("conditions:\n- {name: a/b}", "letters"),
        ("conditions:\n- {name: a}\n- {name: a, mass: 2}", "'a' twice"),
        ("conditions:\n- {name: nominal, mass: 2}", "'nominal' twice"),
        ("conditions:\n- heavy", "each with a name"),
        ("- {name: a}", "a list `conditions`"),
        ("conditions: []", "a list `conditions`"),
    ],
)
def test_suites_that_make_no_sense_are_refused(tmp_path, text, said):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        load_suite(str(path))


def test_an_unknown_suite_is_refused(tmp_path):
    with pytest.raises(UserError, match="one of the suites robustness, recovery"):
        load_suite("robust")
    with pytest.raises(UserError, match="can't be read"):
        load_suite(str(tmp_path / "none.yaml"))


def test_what_does_not_apply_is_said():
    facts = {"backend": "ovphysx", "variant": None, "variants": ("d0", "d1"), "observes_images": False}
    by_name = {condition.name: condition for condition in load_suite("robustness")}
    assert why_not(by_name["friction_2"], **facts) == "friction cannot be changed on ovphysx"
    assert why_not(by_name["cameras_moved"], **facts) == "the policy observes no images"
    assert why_not(by_name["cameras_moved"], **facts | {"observes_images": True}) is None
    assert why_not(by_name["d0"], **facts) == "it is the nominal one"
    assert why_not(by_name["d0"], **facts | {"variant": "d1"}) is None
    assert why_not(by_name["d2"], **facts) == "the task has no variant d2"
    assert why_not(by_name["d1"], **facts | {"variants": ()}) == "the task has no variant d1"
    assert why_not(by_name["ovphysx"], **facts) == "it is the nominal one"
    assert why_not(by_name["mass_2"], **facts) is None


def test_a_suite_is_summed_up_against_the_nominal_condition(tmp_path, checkpoint):
    late = Condition(name="very_late", delay_steps=6)
    dark = Condition(name="dark", delay_steps=1)
    drop = Condition(name="drop", mishap="drop")
    for condition in (NOMINAL, late, drop):
        play(tmp_path / condition.name, checkpoint, condition)
    suite = suite_results.summarise("mine", tmp_path, (NOMINAL, late, dark, drop), {"dark": "too <dark>"})
    nominal, second, third, fourth = suite["conditions"]
    assert "against_nominal" not in nominal
    assert second["successes"] == results.read(tmp_path / "very_late").successes < 12
    against = second["against_nominal"]
    assert (against["rollouts"], against["only_first"]) == (24, 24 - second["successes"])
    assert against["verdict"] == "worse"
    assert against["p_holm"] == pytest.approx(2 * against["p_value"])
    assert third == {"name": "dark", "changes": {"delay_steps": 1}, "not_evaluated": "too <dark>"}
    assert fourth["against_nominal"]["verdict"] == "undecided"
    assert suite["mishaps"]["rollouts"] == fourth["rollouts"] == suite["mishaps"]["successes"]
    assert json.loads(suite_results.write(suite, tmp_path).read_text()) == suite
    page = build_report(tmp_path).read_text()
    for words in (
        "very_late",
        "actions 6 control steps late",
        "worse",
        "not evaluated: too &lt;dark&gt;",
        "mishap: drop",
    ):
        assert words in page
