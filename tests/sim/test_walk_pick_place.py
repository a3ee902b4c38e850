"""The G1 on its base: it goes as it is told, carries the brick to the other table, and its demos are augmented."""

from pathlib import Path

import numpy as np
import pytest
import torch
from recorded import generate, record

from apprentice import poses
from apprentice.augment.cfg import AugmentCfg
from apprentice.demos import EXECUTED, DemoFile, check_file
from apprentice.learn.data.action_space import recognise
from apprentice.tasks.eef_maps import drive_base, target_to_action
from apprentice.tasks.humanoid.mdp.base import KeepUpCfg, keep_up
from apprentice.tasks.oracle import FORWARD
from apprentice.tasks.session import open_session

TASK, NUM_ENVS, EEF = "Apprentice-WalkPickPlace-G1", 4, "right"
CFG = AugmentCfg(seed=7, task=TASK, num_envs=NUM_ENVS, threads=1)


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, num_envs=NUM_ENVS) as opened:
        yield opened


@pytest.fixture(scope="module")
def source(session, tmp_path_factory) -> Path:
    return record(session, tmp_path_factory.mktemp("source") / "source.hdf5", 3)


@pytest.fixture(scope="module")
def generated(session, source):
    return generate(session, source, CFG, NUM_ENVS)


def _heading(pose):
    return torch.atan2(pose[..., 1, 0], pose[..., 0, 0])


def test_its_base_goes_as_the_robot_faces_and_no_faster_than_it_can(session):
    session.reset(seeds=range(NUM_ENVS))
    session.step(session.neutral_actions())
    turn, go = session.neutral_actions(), session.neutral_actions()
    turn[:, -1] = 0.5
    for _ in range(40):
        session.step(turn)
    turned = session.base_pose()
    assert ((_heading(turned) > 0.85) & (_heading(turned) < 1.01)).all()
    assert poses.position(turned).norm(dim=1).max() < 0.01
    go[:, -3:] = torch.tensor([-0.3, 0.2, 0.0])
    for _ in range(40):
        session.step(go)
    gone = poses.inverse(turned) @ session.base_pose()
    expected = torch.tensor([-0.6, 0.4]).expand(NUM_ENVS, 2)
    assert (gone[:, :2, 3] - expected).norm(dim=1).max() < 0.06  # it takes time to take up its speed
    assert _heading(gone).abs().max() < 0.1
    go[:, -3:] = torch.tensor([-5.0, 0.0, 0.0])
    before = poses.position(session.base_pose()).clone()
    for _ in range(20):
        session.step(go)
    assert (poses.position(session.base_pose()) - before).norm(dim=1).max() < 0.85


def test_hands_stay_where_they_are_sent_while_the_base_goes(session):
    session.reset(seeds=range(NUM_ENVS))
    here, said = session.eef_poses()[EEF].clone(), torch.tensor([[-0.1, 0.0, 0.1]]).expand(NUM_ENVS, 3)
    for _ in range(30):
        actions = target_to_action(session.env, {EEF: here}, {EEF: torch.ones(NUM_ENVS, 1)})
        session.step(drive_base(session.env, actions, said))
    assert poses.position(session.base_pose())[:, 0].max() < -0.1
    torch.testing.assert_close(session.eef_poses()[EEF], here, atol=0.015, rtol=0)


def test_the_base_follows_a_hand_to_where_it_has_it_in_front_of_it():
    cfg = KeepUpCfg(place_m=(0.4, -0.1), free_m=0.0, free_rad=0.0, gain=2.0)
    at = torch.tensor([[1.0, 2.0, 0.1]])
    hand = poses.make_pose(at, poses.rotation_z(torch.tensor([0.5])) @ torch.tensor(FORWARD))
    base = poses.make_pose(torch.zeros(1, 3), poses.rotation_z(torch.tensor([-1.0])))
    for _ in range(400):
        forward, left, turn = keep_up(base, hand, cfg)[0]
        step = torch.stack((forward, left, torch.zeros(()))) * 0.05
        base = base @ poses.make_pose(step[None], poses.rotation_z(turn[None] * 0.05))
    assert _heading(base).item() == pytest.approx(0.5, abs=1e-3)
    hand_in_base = poses.position(poses.inverse(base) @ hand)
    torch.testing.assert_close(hand_in_base[0, :2], torch.tensor([0.4, -0.1]), atol=1e-3, rtol=0)
    near = base @ poses.make_pose(torch.tensor([[0.01, 0.0, 0.0]]), poses.rotation_z(torch.tensor([0.03])))
    assert keep_up(base, near @ poses.inverse(base) @ hand, KeepUpCfg(place_m=(0.4, -0.1))).abs().max() < 1e-6


def test_who_drives_the_base_has_the_say_about_it(session):
    session.reset(seeds=range(NUM_ENVS))
    targets = {EEF: session.eef_poses()[EEF]}
    actions = target_to_action(session.env, targets, {EEF: torch.ones(NUM_ENVS, 1)})
    said = torch.full((NUM_ENVS, 3), torch.nan)
    said[1] = torch.tensor([0.1, 0.2, 0.3])
    driven = drive_base(session.env, actions, said)
    assert driven[1, -3:].tolist() == pytest.approx([0.1, 0.2, 0.3])
    torch.testing.assert_close(driven[[0, 2, 3]], actions[[0, 2, 3]])
    torch.testing.assert_close(driven[:, :-3], actions[:, :-3])


@pytest.mark.parametrize("variant", ["d0", "d2"])
def test_the_second_table_is_under_the_pad_and_elsewhere_each_time(session, variant):
    session.env.cfg.apply_variant(variant)
    session.reset(seeds=range(NUM_ENVS))
    tables = torch.stack([session.env.object_pose("second_table"), session.env.object_pose("pad")], 1)
    on_table = poses.position(poses.inverse(tables[:, 0]) @ tables[:, 1])
    assert (on_table[:, 0] + 0.1).abs().max() < 0.05 and on_table[:, 1].abs().max() < 0.21
    assert (on_table[:, 2] - 0.025).abs().max() < 1e-3
    places = poses.position(tables[:, 0])
    assert torch.pdist(places).min() > 1e-3
    session.env.cfg.apply_variant("d0")


def test_the_scripted_robot_walks_and_stands_the_brick_on_the_pad(source):
    assert check_file(source).ok
    with DemoFile(source) as file:
        for demo in (file.read(name) for name in file.names):
            brick, pad = (demo.data[f"obs/datagen_info/object_pose/{name}"] for name in ("brick", "pad"))
            assert np.linalg.norm(brick[-1, :2, 3] - pad[-1, :2, 3]) < 0.045 and brick[-1, 2, 2] > 0.97
            assert np.linalg.norm(brick[-1, :2, 3] - brick[0, :2, 3]) > 1.0
            base = demo.data["obs/base"]
            heading = np.arctan2(base[:, 3], base[:, 2])
            assert heading[-1] > 1.2
            # the actions say how it came there
            asked = demo.actions[:, -3:]
            gone, turned = np.diff(base[:, :2], axis=0), np.diff(heading)
            along = gone[:, 0] * base[:-1, 2] + gone[:, 1] * base[:-1, 3]
            for done, column in ((along, 0), (turned, 2)):
                assert np.corrcoef(done[1:], asked[:-2, column])[0, 1] > 0.8


def test_carrying_begins_when_the_brick_is_held_and_ends_away_from_the_table(source):
    with DemoFile(source) as file:
        for demo in (file.read(name) for name in file.names):
            signals = {
                name: demo.data[f"obs/datagen_info/subtask_term_signals/{name}"].reshape(-1) > 0
                for name in ("grasp", "carry")
            }
            grasp, carry = (int(np.argmax(signals[name])) for name in ("grasp", "carry"))
            brick = demo.data["obs/datagen_info/object_pose/brick"]
            assert signals["grasp"].any() and signals["carry"].any() and 10 < grasp < carry - 10
            assert np.linalg.norm(brick[carry, :2, 3] - brick[0, :2, 3]) > 0.3 and brick[carry, 2, 3] > 0.1
            assert not signals["carry"][-1]  # let go


def test_policies_recognise_what_its_actions_mean(source):
    with DemoFile(source) as file:
        demo = file.read(file.names[0])
    info = {
        kind: {EEF: torch.as_tensor(demo.data[f"obs/datagen_info/{kind}/{EEF}"])}
        for kind in ("eef_pose", "target_eef_pose")
    }
    actions = torch.as_tensor(demo.actions)
    space = recognise(actions, info["eef_pose"], info["target_eef_pose"], [len(actions)])
    assert [(part.eef, part.kind, part.column) for part in space.poses] == [(EEF, "relative", 0)]
    assert [column.column for column in space.binary] == [6] and space.continuous == (7, 8, 9)


def test_generated_demos_stand_it_there_too(generated):
    assert sum(one.outcome.success for one in generated) >= NUM_ENVS - 1


def test_they_replay_bit_for_bit_elsewhere(session, generated):
    kept = [one for one in generated if one.outcome.success]
    ids = list(range(len(kept)))[::-1]
    session.reset(ids, [one.outcome.number + CFG.seed for one in kept])
    actions = session.neutral_actions()
    for step in range(max(one.outcome.length for one in kept)):
        active = torch.zeros(NUM_ENVS, dtype=torch.bool)
        for env_id, one in zip(ids, kept, strict=True):
            if step < one.outcome.length:
                actions[env_id], active[env_id] = torch.as_tensor(one.data[EXECUTED][step]), True
        session.step(actions, active)
        for env_id, one in zip(ids, kept, strict=True):
            if step == one.outcome.length - 1:
                for key, value in session.state().items():
                    np.testing.assert_array_equal(value[env_id].numpy(), one.data[f"states/{key}"][step], err_msg=key)
