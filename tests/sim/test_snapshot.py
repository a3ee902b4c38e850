"""Snapshots taken while the gripper holds a cube, put back here and elsewhere."""

import pytest
import torch
from scripted_grasp import CLOSED, TASK, action, measured

from apprentice.errors import UserError

NUM_ENVS = 6
AHEAD = 40
"""Control steps that are compared after a restore."""


@pytest.fixture(scope="module")
def session():
    from apprentice.tasks.session import open_session

    with open_session(TASK, num_envs=NUM_ENVS) as opened:
        yield opened


@pytest.fixture(scope="module")
def grasp(session):
    """Every environment holds its cube in the air. (snapshot, actions from there on, what they led to)."""
    obs = session.reset(seeds=range(NUM_ENVS))
    for step in range(CLOSED + 30):
        obs = session.step(action(obs, step))
    held = session.snapshot()
    assert (session.state()["rigid_object/cube_2/root_pose"][:, 2] > 0.1).all()
    generator = torch.Generator().manual_seed(0)
    noise = 0.02 * torch.randn(AHEAD, NUM_ENVS, 7, generator=generator)
    actions, rows = [], []
    for step in range(AHEAD):
        actions.append(action(obs, CLOSED + 30 + step) + noise[step])
        obs = session.step(actions[-1])
        rows.append(measured(session))
    return held, torch.stack(actions), torch.stack(rows)


def play(session, actions):
    rows = []
    for step in actions:
        session.step(step)
        rows.append(measured(session))
    return torch.stack(rows)


def test_all_environments_continue_bit_for_bit(session, grasp):
    held, actions, rows = grasp
    session.reset(seeds=range(100, 100 + NUM_ENVS))
    session.restore(held)
    torch.testing.assert_close(play(session, actions), rows, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("subset", [[2], [0, 5], [4, 1, 3]])
def test_a_subset_continues_while_the_others_do_something_else(session, grasp, subset):
    held, actions, rows = grasp
    session.reset(seeds=range(200, 200 + NUM_ENVS))
    session.step(session.neutral_actions())
    session.restore(held.select(torch.tensor(subset)))
    torch.testing.assert_close(play(session, actions)[:, subset], rows[:, subset], rtol=0, atol=0, equal_nan=True)


def test_a_snapshot_continues_in_any_other_environment(session, grasp):
    held, actions, rows = grasp
    moved = [3, 4, 5, 0, 1, 2]
    session.reset(seeds=range(300, 300 + NUM_ENVS))
    session.restore(held, moved)
    elsewhere = play(session, actions[:, moved])
    torch.testing.assert_close(elsewhere[:, moved], rows, rtol=0, atol=0, equal_nan=True)


def test_what_is_seen_right_after_a_restore_is_what_was_seen(session, grasp):
    held, actions, _ = grasp
    session.restore(held)
    obs = {name: value.clone() for name, value in session.observe().items()}
    signals = {name: value.clone() for name, value in session.subtask_signals().items()}
    play(session, actions[:5])
    again = session.restore(held)
    for name, value in obs.items():
        torch.testing.assert_close(again[name], value, rtol=0, atol=0, msg=name)
    for name, value in session.subtask_signals().items():
        torch.testing.assert_close(value, signals[name], rtol=0, atol=0, msg=name)


def test_resetting_one_environment_leaves_the_others_alone(session, grasp):
    held, actions, rows = grasp
    session.restore(held)
    session.reset([2], [7])
    rest = [0, 1, 3, 4, 5]
    torch.testing.assert_close(play(session, actions)[:, rest], rows[:, rest], rtol=0, atol=0, equal_nan=True)


def test_one_seed_gives_one_initial_state_in_any_environment(session):
    session.reset(seeds=[11] * NUM_ENVS)
    rows = measured(session)
    torch.testing.assert_close(rows, rows[:1].expand_as(rows), rtol=0, atol=0)
    session.reset([4, 1], [11, 12])
    torch.testing.assert_close(measured(session)[4], rows[0], rtol=0, atol=0)
    assert (measured(session)[1] != rows[0]).any()


def test_a_snapshot_that_does_not_fit_is_refused(session, grasp):
    held, _, _ = grasp
    with pytest.raises(UserError, match=r"2 environments.*6"):
        session.restore(held, [0, 1])
    with pytest.raises(UserError, match=r"environments 0 to 5.*6"):
        session.restore(held.select(torch.tensor([0])), [6])
    with pytest.raises(UserError, match="environments 0 to 5"):
        session.snapshot([-1])
