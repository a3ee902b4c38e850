"""The G1 with Dex3 hands: it grasps, lifts and holds, is driven by scripted hands, and its demos are augmented."""

from pathlib import Path

import numpy as np
import pytest
import torch
from humanoid_grasp import EEF, assert_it_grasps_lifts_and_holds
from recorded import generate, record

from apprentice import poses
from apprentice.augment.cfg import AugmentCfg
from apprentice.demos import EXECUTED, DemoFile, check_file
from apprentice.learn.data.action_space import recognise
from apprentice.robots.g1 import hand
from apprentice.tasks.eef_maps import action_to_target, target_to_action
from apprentice.tasks.session import open_session

TASK, NUM_ENVS = "Apprentice-PickPlace-G1", 6
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


def test_its_hand_grasps_lifts_and_holds(session):
    assert_it_grasps_lifts_and_holds(session)


def test_actions_say_where_the_hand_is_to_go_and_back(session):
    session.reset(seeds=range(NUM_ENVS))
    grip = {EEF: torch.ones(NUM_ENVS, 1)}
    target = {EEF: session.eef_poses()[EEF].clone()}
    target[EEF][:, :3, 3] += torch.tensor([0.03, -0.02, 0.01])
    target[EEF][:, :3, :3] = poses.rotation_z(torch.full((NUM_ENVS,), 0.2)) @ target[EEF][:, :3, :3]
    actions = target_to_action(session.env, target, grip)
    torch.testing.assert_close(action_to_target(session.env, actions)[EEF], target[EEF], atol=1e-5, rtol=0)
    for _ in range(20):
        session.step(target_to_action(session.env, target, grip))
    torch.testing.assert_close(session.eef_poses()[EEF], target[EEF], atol=3e-3, rtol=0)
    for _ in range(10):  # the neutral action keeps it there
        session.step(session.neutral_actions())
    torch.testing.assert_close(session.eef_poses()[EEF], target[EEF], atol=3e-3, rtol=0)
    assert set(session.env.scene["robot"].joint_names) >= set(hand("left").open)


def test_the_scripted_hand_stands_the_brick_on_the_pad(source):
    assert check_file(source).ok
    with DemoFile(source) as file:
        for demo in (file.read(name) for name in file.names):
            brick = demo.data["obs/datagen_info/object_pose/brick"]
            assert brick[0, 2, 3] < 0.065 and brick[:, 2, 3].max() > 0.11
            assert brick[-1, 2, 2] > 0.97 and abs(brick[-1, 2, 3] - 0.07) < 0.005


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
    assert [column.column for column in space.binary] == [6] and space.continuous == ()


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
