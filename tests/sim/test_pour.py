"""The pouring task on the real simulator: a pan with beads that nobody follows one by one."""

import numpy as np
import pytest
import torch
from tabletop import draw_from, multiply, operate, put, wait

from apprentice.tasks.pour.mdp.sizes import BEADS, BOWL, PAN, PAN_HEIGHT_M
from apprentice.tasks.session import open_session

NUM_ENVS = 6
BESIDE = {PAN: ((0.45, -0.15, PAN_HEIGHT_M / 2), 0.0)}
"""The pan on the table, upright."""


@pytest.fixture(scope="module")
def session():
    with open_session("Apprentice-Pour-Franka", num_envs=NUM_ENVS) as opened:
        yield opened


def place(session, beads):
    """Put beads somewhere, at rest, in the frame of the bowl, which is not turned in d0."""
    state = session.state()
    for bead, place_m in beads.items():
        state[f"rigid_object/{bead}/root_pose"][:, :3] = session.object_poses()[BOWL][:, :3, 3] + torch.tensor(place_m)
        state[f"rigid_object/{bead}/root_velocity"][:] = 0.0
    session.set_state(state, range(NUM_ENVS))


def test_resets_fill_the_pan_and_the_beads_stay_in_it(session):
    draw_from(session, "d2")
    session.reset(seeds=range(NUM_ENVS))
    wait(session, 10)
    pan = session.object_poses()[PAN]
    assert len({round(float(x), 4) for x in pan[:, 0, 3]}) == NUM_ENVS
    for bead, (x, y) in BEADS.items():
        at = session.state()[f"rigid_object/{bead}/root_pose"][:, :3] - pan[:, :3, 3]
        seen = (pan[:, :3, :3].transpose(1, 2) @ at[..., None])[..., 0]
        torch.testing.assert_close(seen[:, :2], torch.tensor((x, y)).expand(NUM_ENVS, 2), atol=0.002, rtol=0)


def test_most_beads_in_the_bowl_and_the_pan_put_down_is_a_success_and_stays_one(session):
    draw_from(session, "d0")
    put(session, BESIDE)
    in_bowl = {bead: (x * 2, y * 2, 0.02) for bead, (x, y) in BEADS.items()}
    place(session, in_bowl | {"bead_1": (0.0, -0.12, 0.008)})
    wait(session, 20)
    assert session.success().all(), "four of five are in it"
    place(session, {"bead_2": (0.0, -0.15, 0.008)})
    assert not session.success().any(), "three are not most"
    put(session, {PAN: ((0.45, -0.15, 0.1), 0.0)})
    place(session, in_bowl)
    assert not session.success().any(), "the pan is not down"


def test_nothing_but_pictures_and_physics_knows_of_beads(session):
    assert set(session.task_info.objects) == {PAN, BOWL} == set(session.object_poses())
    session.reset(seeds=range(NUM_ENVS))
    scene, eef = session.collision_scenes()["franka"], session.eef_poses()["franka"][0].double().numpy()
    aim = eef.copy()
    aim[:3, 3] = session.object_poses()[PAN][0, :3, 3].double().numpy() + (0.0, 0.0, 0.1)
    moment = scene.moment(0, aim, None)
    joints = moment.reach(aim, moment.joints)
    assert joints is not None
    near = {other for _, other in moment.distances(joints)}
    place(session, {bead: tuple(aim[:3, 3] - session.object_poses()[BOWL][0, :3, 3].numpy()) for bead in BEADS})
    assert {other for _, other in scene.moment(0, aim, None).distances(joints)} == near
    assert np.isfinite(session.observe()["object"].numpy()).all()


def test_the_operator_pours_wherever_pan_and_bowl_stand(session):
    episodes = operate(session, "d2", range(100, 100 + NUM_ENVS))
    assert sum(episode.success for episode in episodes) >= NUM_ENVS - 1


def test_few_demos_become_many(session, tmp_path):
    assert multiply(session, tmp_path, NUM_ENVS, source_demos=2) >= 0.8
