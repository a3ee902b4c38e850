"""The threading task, whole: one arm holds up a ring, the other puts a needle through it, and demos are multiplied."""

import pytest
import torch
from recorded import generate, record

from apprentice.augment.cfg import AugmentCfg
from apprentice.demos import DemoFile, check_file
from apprentice.poses import inverse, position
from apprentice.tasks.session import open_session
from apprentice.tasks.two_arms.mdp.sizes import HOLE_AT_M, HOLE_M, NEEDLE, RING, RING_DEPTH_M, RING_STANDS_M

TASK, NUM_ENVS = "Apprentice-Thread-TwoFrankas", 6


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, num_envs=NUM_ENVS) as opened:
        yield opened


def test_a_needle_beside_the_hole_or_through_a_ring_that_nobody_holds_is_no_success(session):
    for beside_m in (0.0, 0.08):
        session.reset(seeds=range(NUM_ENVS))
        state, ring = session.state(), session.object_poses()[RING]
        needle = state[f"rigid_object/{RING}/root_pose"].clone()
        needle[:, :3] += ring[:, :3, 0] * 0.06 + ring[:, :3, 1] * beside_m
        needle[:, 2] += HOLE_AT_M
        session.set_state(state | {f"rigid_object/{NEEDLE}/root_pose": needle}, range(NUM_ENVS))
        session.step(session.neutral_actions())
        assert (session.object_poses()[RING][:, 2, 3] > RING_STANDS_M - 0.01).all()
        assert not session.success().any()


def test_few_demos_become_many(session, tmp_path):
    source = record(session, tmp_path / "source.hdf5", 3)
    assert check_file(source).ok
    with DemoFile(source) as file:
        for demo in (file.read(name) for name in file.names):
            ring, needle = (
                torch.as_tensor(demo.data[f"obs/datagen_info/object_pose/{name}"]) for name in (RING, NEEDLE)
            )
            tip = position(inverse(ring) @ needle)
            tip[:, 2] -= HOLE_AT_M
            # it never was on the other side of the ring but by the hole
            inside = tip[:, 0].abs() < RING_DEPTH_M / 2
            assert inside.any() and (tip[inside, 1:].abs() < HOLE_M[0] / 2).all()
            assert (tip[-9:, 0] > 0.04).all() and (ring[-9:, 2, 3] > 0.2).all()
    made = generate(session, source, AugmentCfg(seed=7, task=TASK, num_envs=NUM_ENVS, threads=1), NUM_ENVS)
    assert sum(one.outcome.success for one in made) >= NUM_ENVS - 1
