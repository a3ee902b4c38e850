"""The lid task, whole: one arm holds the lid aside, the other fills the box, and demos of it are multiplied."""

import numpy as np
import pytest
import torch
from recorded import generate, record

from apprentice.augment.cfg import AugmentCfg
from apprentice.demos import DemoFile, check_file
from apprentice.tasks.session import open_session
from apprentice.tasks.two_arms.mdp.sizes import BOX, BOX_M, CUBE, CUBE_M, LID, LID_ON_BOX_M, WALL_M

TASK, NUM_ENVS = "Apprentice-Lid-TwoFrankas", 6


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, num_envs=NUM_ENVS, variant="d2") as opened:
        yield opened


def test_resets_close_the_box_wherever_it_stands(session):
    session.reset(seeds=range(NUM_ENVS))
    poses = session.object_poses()
    on_top = poses[BOX].clone()
    on_top[:, 2, 3] += LID_ON_BOX_M
    torch.testing.assert_close(poses[LID], on_top, atol=1e-5, rtol=0)
    assert len({round(float(x), 5) for x in poses[BOX][:, 0, 3]}) == NUM_ENVS, "all stand at the same place"


def test_a_filled_box_is_no_success_while_nobody_holds_its_lid(session):
    session.reset(seeds=range(NUM_ENVS))
    state, box = session.state(), session.object_poses()[BOX]
    cube = state[f"rigid_object/{CUBE}/root_pose"].clone()
    cube[:, :3] = box[:, :3, 3]
    cube[:, 2] = WALL_M + CUBE_M / 2
    lid = state[f"rigid_object/{LID}/root_pose"].clone()
    lid[:, 1] += 0.3
    lid[:, 2] -= BOX_M[2]
    session.set_state(
        state | {f"rigid_object/{CUBE}/root_pose": cube, f"rigid_object/{LID}/root_pose": lid}, range(NUM_ENVS)
    )
    for _ in range(10):
        session.step(session.neutral_actions())
    inside = session.object_poses()[CUBE][:, :3, 3] - session.object_poses()[BOX][:, :3, 3]
    assert (inside.norm(dim=1) < 0.02).all() and not session.success().any()


def test_few_demos_become_many(session, tmp_path):
    source = record(session, tmp_path / "source.hdf5", 3)
    assert check_file(source).ok
    with DemoFile(source) as file:
        for demo in (file.read(name) for name in file.names):
            box, lid, cube = (demo.data[f"obs/datagen_info/object_pose/{name}"][-9:] for name in (BOX, LID, CUBE))
            assert (np.linalg.norm((lid - box)[:, :2, 3], axis=1) > BOX_M[0]).all()
            assert (np.linalg.norm((cube - box)[:, :2, 3], axis=1) < BOX_M[0] / 2).all()
    made = generate(session, source, AugmentCfg(seed=7, task=TASK, num_envs=NUM_ENVS, threads=1), NUM_ENVS)
    assert sum(one.outcome.success for one in made) >= NUM_ENVS - 1
