"""The GR1T2 with its hands: it grasps, lifts and holds, does what the G1 does, and its demos are augmented."""

import pytest
from humanoid_grasp import assert_it_grasps_lifts_and_holds
from recorded import generate, record

from apprentice.augment.cfg import AugmentCfg
from apprentice.demos import DemoFile, check_file
from apprentice.tasks.session import open_session

TASK, NUM_ENVS = "Apprentice-PickPlace-GR1T2", 6


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, num_envs=NUM_ENVS) as opened:
        yield opened


def test_its_hand_grasps_lifts_and_holds(session):
    assert_it_grasps_lifts_and_holds(session)


def test_the_scripted_hand_stands_the_brick_on_the_pad_and_so_do_generated_demos(session, tmp_path):
    source = record(session, tmp_path / "source.hdf5", 3)
    assert check_file(source).ok
    with DemoFile(source) as file:
        for demo in (file.read(name) for name in file.names):
            brick = demo.data["obs/datagen_info/object_pose/brick"]
            assert brick[:, 2, 3].max() > 0.11 and brick[-1, 2, 2] > 0.97 and abs(brick[-1, 2, 3] - 0.07) < 0.005
    cfg = AugmentCfg(seed=7, task=TASK, num_envs=NUM_ENVS, threads=1)
    assert sum(one.outcome.success for one in generate(session, source, cfg, NUM_ENVS)) >= NUM_ENVS - 1
