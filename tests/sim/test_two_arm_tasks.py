"""The two-arm tasks, whole: scripted hands record them, and augmentation keeps what the arms owe each other."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from recorded import generate, record

from apprentice.augment.cfg import AugmentCfg
from apprentice.demos import EXECUTED, DemoFile, check_file
from apprentice.tasks.session import open_session

TASK, NUM_ENVS = "Apprentice-LiftTray-TwoFrankas", 6
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


def test_scripted_hands_lift_the_tray_together(source):
    assert check_file(source).ok
    with DemoFile(source) as file:
        assert file.meta["eef_names"] == ["left", "right"]
        for demo in (file.read(name) for name in file.names):
            heights = demo.data["obs/datagen_info/object_pose/tray"][:, 2, 3]
            assert heights[0] < 0.02 and (heights[-9:] > 0.12).all()
            slope = demo.data["obs/datagen_info/object_pose/tray"][:, 2, 0]
            assert np.abs(slope[-9:]).max() < 0.2


def test_generated_demos_lift_it_too(generated):
    assert sum(one.outcome.success for one in generated) >= NUM_ENVS - 1
    for one in generated:
        lift = [part for part in one.outcome.subtasks if part["index"] == 1 and part["tries"]]
        assert len({json.dumps([part["source_demo"], part["step"]]) for part in lift}) == 1


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
    assert len(kept) >= NUM_ENVS - 1
