"""The SO-101: its grasp holds, what five joints cannot do is left out, and it picks and places."""

import math

import pytest
import torch
from tabletop import multiply, operate

from apprentice import poses
from apprentice.tasks.eef_maps import action_to_target, target_to_action
from apprentice.tasks.pick_place.config.so101.env_cfg import CUBE, LIES_M, PLATE
from apprentice.tasks.session import open_session

TASK, NUM_ENVS, EEF = "Apprentice-PickPlace-SO101", 8, "so101"
GRASP_AT, LIFT_AT, UP_AT, HOLD_AT, END = 50, 65, 105, 120, 160
"""Control steps of a grasp: 15 to close, 40 to lift 10 cm, 15 to come to rest, 40 (2 s) to hold."""


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, num_envs=NUM_ENVS) as opened:
        yield opened


def test_a_grasp_holds_wherever_it_takes_the_cube(session):
    obs = session.reset(seeds=range(NUM_ENVS))
    generator = torch.Generator().manual_seed(5)
    # 5 mm aside and along, 2 mm up and down, 6 degrees aslant
    aside = (torch.rand(NUM_ENVS, 3, generator=generator) - 0.5) * torch.tensor([0.01, 0.01, 0.004])
    aslant = (torch.rand(NUM_ENVS, generator=generator) - 0.5) * 0.2
    cube = obs[f"datagen_info/object_pose/{CUBE}"].clone()
    down = _down(_nearest_turn(cube) + aslant)
    grasped = poses.position(cube) + aside
    lifted, in_hand = [], []
    for step in range(END):
        height = 0.04 * (1 - min(1.0, step / 30)) + 0.1 * min(1.0, max(0.0, (step - LIFT_AT) / (UP_AT - LIFT_AT)))
        target = poses.make_pose(grasped + torch.tensor([0.0, 0.0, height]), down)
        grip = torch.full((NUM_ENVS, 1), 1.0 if step < GRASP_AT else -1.0)
        obs = session.step(target_to_action(session.env, {EEF: target}, {EEF: grip}))
        there, hand = obs[f"datagen_info/object_pose/{CUBE}"], obs[f"datagen_info/eef_pose/{EEF}"]
        lifted.append(there[:, 2, 3] - cube[:, 2, 3])
        in_hand.append(poses.position(poses.inverse(hand) @ there))
    assert session.subtask_signals()["grasp"].all()
    assert float(lifted[-1].min()) > 0.085, lifted[-1]  # so high up the hand begins to look ahead
    slipped = (in_hand[-1] - in_hand[HOLD_AT]).norm(dim=1)
    assert float(slipped.max()) < 0.001, slipped


def test_what_the_jaw_holds_is_not_in_the_arms_way(session):
    """The controller moves a frame between the pads, which is no link with a shape."""
    obs = session.reset(seeds=range(NUM_ENVS))
    cube = obs[f"datagen_info/object_pose/{CUBE}"].clone()
    for step in range(GRASP_AT + 15):
        height = 0.04 * (1 - min(1.0, step / 30))
        target = poses.make_pose(poses.position(cube) + torch.tensor([0.0, 0.0, height]), _down(_nearest_turn(cube)))
        grip = torch.full((NUM_ENVS, 1), 1.0 if step < GRASP_AT else -1.0)
        session.step(target_to_action(session.env, {EEF: target}, {EEF: grip}))
    scene, hand = session.collision_scenes()[EEF], session.eef_poses()[EEF].double().numpy()
    for env_id in range(NUM_ENVS):
        holding, empty = (scene.moment(env_id, hand[env_id], held) for held in (CUBE, None))
        assert empty.distances(empty.joints)["robot", CUBE] < 0.001
        assert ("robot", CUBE) not in holding.distances(holding.joints)


def test_targets_become_actions_and_back_and_the_hand_gets_there(session):
    session.reset(seeds=range(NUM_ENVS))
    grip = {EEF: torch.ones(NUM_ENVS, 1)}
    target = _shifted(session, torch.zeros(NUM_ENVS))
    actions = target_to_action(session.env, target, grip)
    torch.testing.assert_close(action_to_target(session.env, actions)[EEF], target[EEF], atol=1e-5, rtol=0)
    hand = _follow(session, target, grip)
    torch.testing.assert_close(hand, target[EEF], atol=5e-3, rtol=0)


def test_a_tilt_aside_is_left_out_and_the_place_is_kept(session):
    session.reset(seeds=range(NUM_ENVS))
    target = _shifted(session, torch.full((NUM_ENVS,), 0.4))
    hand = _follow(session, target, {EEF: torch.ones(NUM_ENVS, 1)})
    assert float((poses.position(hand) - poses.position(target[EEF])).norm(dim=1).max()) < 0.005
    assert float(hand[:, 2, 2].max()) < -0.98, "it still points down"


def test_what_lies_on_the_plate_is_placed_and_nothing_else(session):
    for x, y, z, placed in ((0.0, 0.0, LIES_M, True), (0.02, -0.02, LIES_M, True), (0.03, 0.0, LIES_M, False)):
        session.reset(seeds=range(NUM_ENVS))
        state = session.state()
        key = f"rigid_object/{CUBE}/root_pose"
        state[key] = state[f"rigid_object/{PLATE}/root_pose"] + torch.tensor([x, y, z, 0.0, 0.0, 0.0, 0.0])
        session.set_state(state, range(NUM_ENVS))
        for _ in range(10):
            session.step(session.neutral_actions())
        assert bool(session.success().all()) is placed, (x, y)
        assert bool(session.success().any()) is placed, (x, y)


def test_the_operator_picks_and_places(session):
    episodes = operate(session, "d0", range(100, 100 + NUM_ENVS))
    assert sum(episode.success for episode in episodes) >= NUM_ENVS - 1


def test_few_demos_become_many(session, tmp_path):
    assert multiply(session, tmp_path, 4, source_demos=2) >= 0.75


def _nearest_turn(cube: torch.Tensor) -> torch.Tensor:
    """The cube's turn, of its four, that is nearest to how the wrist hangs. Shape (N,)."""
    quarter = math.pi / 2
    home = torch.atan2(cube[:, 1, 3], cube[:, 0, 3]) + quarter
    apart = torch.atan2(cube[:, 1, 0], cube[:, 0, 0]) - home
    return home + (apart + quarter / 2) % quarter - quarter / 2


def _down(yaw: torch.Tensor) -> torch.Tensor:
    return poses.rotation_z(yaw) @ torch.diag(torch.tensor([1.0, -1.0, -1.0]))


def _shifted(session, aside_rad: torch.Tensor) -> dict[str, torch.Tensor]:
    """Targets a little ahead, lower and turned, tilted about the direction away from the base."""
    hand = session.eef_poses()[EEF].clone()
    place = poses.position(hand) + torch.tensor([0.02, 0.0, -0.02])
    away = torch.nn.functional.normalize(place * torch.tensor([1.0, 1.0, 0.0]), dim=1)
    turn = poses.exp_rotation(away * aside_rad[:, None])
    return {EEF: poses.make_pose(place, turn @ _down(torch.full((len(hand),), math.pi / 2 + 0.2)))}


def _follow(session, target: dict[str, torch.Tensor], grip: dict[str, torch.Tensor]) -> torch.Tensor:
    for _ in range(60):
        session.step(target_to_action(session.env, target, grip))
    return session.eef_poses()[EEF]
