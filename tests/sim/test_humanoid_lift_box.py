"""Both hands of the G1 lift a box by its handles, driven by scripted hands; its demos are augmented."""

import pytest
from recorded import generate, record

from apprentice.augment.cfg import AugmentCfg
from apprentice.demos import DemoFile, check_file
from apprentice.tasks.humanoid.lift_box_env_cfg import GRIPS_M, LIFTED_M, REST_M
from apprentice.tasks.humanoid.mdp import conditions
from apprentice.tasks.session import open_session

TASK, NUM_ENVS = "Apprentice-LiftBox-G1", 4


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, num_envs=NUM_ENVS) as opened:
        yield opened


@pytest.fixture(scope="module")
def source(session, tmp_path_factory):
    return record(session, tmp_path_factory.mktemp("source") / "source.hdf5", 2)


def test_two_hands_lift_it_level(source):
    assert check_file(source).ok
    with DemoFile(source) as file:
        for demo in (file.read(name) for name in file.names):
            box = demo.data["obs/datagen_info/object_pose/box"]
            assert abs(box[0, 2, 3] - REST_M) < 0.002
            assert box[-1, 2, 3] > LIFTED_M and box[-1, 2, 2] > 0.97


def test_it_counts_while_both_hands_hold_it_up(session):
    session.reset(seeds=range(NUM_ENVS))
    env = session.env
    grips = dict(GRIPS_M)
    on_table = conditions.lifted_together(env, grips, "box", LIFTED_M)
    pose = env.scene["box"].data.root_link_pose_w.torch.clone()
    pose[:, 2] += 0.2
    env.scene["box"].write_root_pose_to_sim_index(root_pose=pose)
    assert not on_table.any()
    assert not conditions.lifted_together(env, grips, "box", LIFTED_M).any()  # up, but in nobody's hands


def test_generated_demos_lift_it_too(session, source):
    cfg = AugmentCfg(seed=7, task=TASK, num_envs=NUM_ENVS, threads=1)
    assert sum(one.outcome.success for one in generate(session, source, cfg, NUM_ENVS)) >= NUM_ENVS - 1
