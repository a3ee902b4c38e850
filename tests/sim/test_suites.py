"""Conditions on the real simulator: what they change, that nothing else changes, and that it is undone."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_evaluate import Stacker

from apprentice import poses
from apprentice.demos.start_states import StartStates, read_start_states, write_start_states
from apprentice.evaluate.cfg import EvaluateCfg
from apprentice.evaluate.results import read, read_rollouts
from apprentice.evaluate.robustness.aftermath import Region
from apprentice.evaluate.robustness.apply import applied
from apprentice.evaluate.robustness.cfg import MISHAPS, Condition
from apprentice.evaluate.rollouts import evaluate

TASK, NUM_ENVS = "Apprentice-Stack-Franka", 6
CFG = EvaluateCfg(rollouts=NUM_ENVS, seed=0, horizon=220, videos=0)
SHIFT_M = (0.02, -0.01, 0.03)


def sensed(session) -> dict:
    """What is seen with errors, without, and what that did to the scene."""
    true = {name: value.clone() for name, value in session.reset(range(NUM_ENVS), range(NUM_ENVS)).items()}
    state = {name: value.clone() for name, value in session.state().items()}
    errors = {name: torch.zeros(NUM_ENVS, 6) for name in ("robot", "cube_2")}
    errors["cube_2"][1] = torch.tensor([*SHIFT_M, 0.0, 0.0, 0.5])
    errors["robot"][2] = torch.tensor([*SHIFT_M, 0.0, 0.0, 0.0])
    seen = session.sense(errors)
    again = session.env.observation_manager.compute(update_history=False)["policy"]
    return {
        "differ": {name: (seen[name] - true[name]).flatten(1).tolist() for name in true},
        "turn": poses.rotation_angle(
            poses.rotation(seen["datagen_info/object_pose/cube_2"][1])
            @ poses.rotation(true["datagen_info/object_pose/cube_2"][1]).mT
        ).item(),
        "same_state": all(torch.equal(state[name], value) for name, value in session.state().items()),
        "same_obs": all(torch.equal(true[name], value) for name, value in again.items()),
    }


def masses(session) -> list:
    """Of a cube, before, under and after a condition; and how far the same push moves it then."""
    found = []
    for condition in (
        Condition(name="as_is"),
        Condition(name="changed", mass=2.0, friction=0.5),
        Condition(name="undone"),
    ):
        with applied(condition, Stacker(), session):
            session.reset([0], [0])
            began = session.state()["rigid_object/cube_1/root_pose"][0, :2].clone()
            session.move_object("cube_1", [0], velocities=torch.tensor([[0.6, 0, 0, 0, 0, 0]]))
            other = session.state()["rigid_object/cube_2/root_pose"][0].clone()
            for _ in range(10):
                session.step(session.neutral_actions())
            state = session.state()
            moved = (state["rigid_object/cube_1/root_pose"][0, :2] - began).norm().item()
            still = (state["rigid_object/cube_2/root_pose"][0] - other).norm().item()
            mass = session.env.scene["cube_1"].data.body_mass.torch.flatten().tolist()
            found.append({"mass": mass, "moved": moved, "still": still})
    return found


def initial_states(session) -> StartStates:
    """Those of the seeds that the evaluations play."""
    rows = []
    for seed in range(NUM_ENVS):
        session.reset([seed], [seed])
        rows.append({key: value[seed].numpy(force=True).copy() for key, value in session.state().items()})
    return StartStates(
        task=TASK,
        variant=None,
        states={key: np.stack([row[key] for row in rows]) for key in rows[0]},
        seeds=np.arange(NUM_ENVS),
        kinds=("initial",) * NUM_ENVS,
    )


def main(directory: Path) -> None:
    """What the tests below look at; a simulation needs a process of its own."""
    from apprentice.cli import leave
    from apprentice.tasks.registry import reach
    from apprentice.tasks.session import open_session

    (directory / "policy.pth").write_bytes(b"a scripted stacker")
    low, high = reach(TASK)
    with open_session(TASK, num_envs=NUM_ENVS) as session:

        def play(name, condition=None, starts=None, cfg=CFG):
            condition = condition or Condition(name=name)
            with applied(condition, Stacker(), session, region=Region(low_m=low, high_m=high)) as (policy, happens):
                arguments = {"interventions": happens, "condition": condition.changes, "starts": starts}
                evaluate(policy, session, cfg, checkpoint=directory, output=directory / name, **arguments)

        facts = {"sensed": sensed(session), "masses": masses(session), "reach": [low, high]}
        (directory / "facts.json").write_text(json.dumps(facts))
        play("seeds")
        write_start_states(directory / "initial.hdf5", initial_states(session))
        starts = read_start_states(directory / "initial.hdf5")
        play("states", starts=starts)
        play("late", Condition(name="late", delay_steps=1))
        for kind in MISHAPS:
            play(kind, Condition(name=kind, mishap=kind))
            after = read_start_states(directory / kind / "mishaps.hdf5")
            cfg = replace(CFG, rollouts=len(after), horizon=60)
            play(f"after_{kind}", starts=after, cfg=cfg)
            play(f"after_{kind}_again", starts=after.select(reversed(range(len(after)))), cfg=cfg)
    leave()


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("suites")
    subprocess.run([sys.executable, __file__, str(directory)], check=True, timeout=1100)
    return directory


@pytest.fixture(scope="module")
def facts(played) -> dict:
    return json.loads((played / "facts.json").read_text())


def rows(directory: Path, *left_out: str) -> list[dict]:
    times = ("wall_seconds", "run", "run_seconds", *left_out)
    return [{key: value for key, value in row.items() if key not in times} for row in read_rollouts(directory)]


def test_an_error_shows_in_every_term_that_tells_the_pose(facts):
    differ = {name: np.array(value) for name, value in facts["sensed"]["differ"].items()}
    shift = np.array(SHIFT_M)
    # the cube's error, in environment 1
    np.testing.assert_allclose(differ["datagen_info/object_pose/cube_2"][1].reshape(4, 4)[:3, 3], shift, atol=1e-6)
    np.testing.assert_allclose(differ["cube_positions"][1], [0, 0, 0, *shift, 0, 0, 0], atol=1e-6)
    # of "object": its own pose, gripper to it, and it to both other cubes
    np.testing.assert_allclose(
        differ["object"][1][[7, 8, 9, 24, 25, 26, 33, 34, 35]], [*shift, *shift, *shift], atol=1e-6
    )
    np.testing.assert_allclose(differ["object"][1][30:33], -shift, atol=1e-6)
    assert 0.05 < abs(differ["cube_orientations"][1][4:8]).max() < 0.5
    assert facts["sensed"]["turn"] == pytest.approx(0.5, abs=1e-4)
    # the hand's, in environment 2
    np.testing.assert_allclose(differ["datagen_info/eef_pose/franka"][2].reshape(4, 4)[:3, 3], shift, atol=1e-6)
    np.testing.assert_allclose(differ["eef_pos"][2], shift, atol=1e-6)
    np.testing.assert_allclose(differ["object"][2][21:30], [*-shift] * 3, atol=1e-6)
    # and nothing else
    for name in ("joint_pos", "joint_vel", "gripper_pos", "actions", "datagen_info/object_pose/cube_1"):
        assert not differ[name].any(), name
    assert not any(value[[0, 3, 4, 5]].any() for value in differ.values())


def test_seeing_with_errors_leaves_the_scene_as_it_is(facts):
    assert facts["sensed"]["same_state"]
    assert facts["sensed"]["same_obs"]


def test_mass_and_friction_are_changed_and_put_back(facts):
    before, changed, after = facts["masses"]
    np.testing.assert_allclose(changed["mass"], 2 * np.array(before["mass"]), rtol=1e-6)
    assert after["mass"] == before["mass"]
    assert changed["moved"] > 1.3 * before["moved"]  # half the friction
    assert after["moved"] == before["moved"]


def test_a_push_moves_one_object(facts):
    for row in facts["masses"]:
        assert row["moved"] > 0.01
        assert row["still"] < 1e-3


def test_what_can_be_reached_is_the_widest_variant(facts):
    np.testing.assert_allclose(facts["reach"], [[0.35, -0.28], [0.66, 0.28]])


def test_states_of_seeds_give_the_rollouts_of_seeds(played):
    assert rows(played / "states", "kind") == rows(played / "seeds", "kind")
    assert read(played / "seeds").successes >= 2


def test_actions_that_come_late_make_a_difference(played):
    late, prompt = rows(played / "late"), rows(played / "seeds")
    assert all(one["path_length_m"] != other["path_length_m"] for one, other in zip(late, prompt, strict=True))
    assert all(one["cube_3_x_m"] == other["cube_3_x_m"] for one, other in zip(late, prompt, strict=True))


@pytest.mark.parametrize("kind", MISHAPS)
def test_a_mishap_strikes_and_leaves_the_scene_at_rest(played, kind):
    evaluation = read(played / kind)
    assert evaluation.rollouts >= 3
    assert evaluation.rollouts + sum(evaluation.not_counted.values()) == NUM_ENVS
    starts = read_start_states(played / kind / "mishaps.hdf5")
    assert set(starts.kinds) == {kind}
    for number in (1, 2, 3):
        speed = np.linalg.norm(starts.states[f"rigid_object/cube_{number}/root_velocity"][:, :3], axis=1)
        assert (speed < 0.05).all()
        # on the table or on each other, none in a hand or in the air
        layer = (starts.states[f"rigid_object/cube_{number}/root_pose"][:, 2] - 0.0203) / 0.0406
        np.testing.assert_allclose(layer, layer.round(), atol=0.2)


@pytest.mark.parametrize("kind", MISHAPS)
def test_what_follows_a_state_is_the_same_in_any_environment(played, kind):
    first = {(row["seed"], row["kind"]): row for row in rows(played / f"after_{kind}", "index")}
    again = {(row["seed"], row["kind"]): row for row in rows(played / f"after_{kind}_again", "index")}
    assert first == again
    assert first


if __name__ == "__main__":
    main(Path(sys.argv[1]))
