"""What `native` puts in place of Isaac Lab's IK and gripper actions does the same."""

from __future__ import annotations

import pytest
import torch
from isaaclab.envs.mdp.actions.task_space_actions import DifferentialInverseKinematicsAction
from scripted_grasp import action

from apprentice.sim.chain_ik import ChainIKAction
from apprentice.tasks.session import Session, open_session

ENVS = 4


@pytest.fixture(scope="module")
def session():
    with open_session("Apprentice-Stack-Franka", num_envs=ENVS) as opened:
        yield opened


def _arm(session: Session) -> ChainIKAction:
    term = session.env.action_manager.get_term("arm_action")
    assert isinstance(term, ChainIKAction)
    return term


def test_jacobian_is_isaac_labs_along_a_grasp(session: Session):
    arm = _arm(session)
    obs = session.reset(seeds=range(ENVS))
    worst = 0.0
    for step in range(60):
        obs = session.step(action(obs, step))
        stock = DifferentialInverseKinematicsAction._compute_frame_jacobian(arm).clone()
        worst = max(worst, float((arm._compute_frame_jacobian() - stock).abs().max()))
        assert arm._chain is not None
    assert worst < 1e-4


def test_targets_are_those_that_isaac_labs_action_writes(session: Session):
    arm = _arm(session)
    obs = session.reset(seeds=range(ENVS))
    target = session.env.scene["robot"].data.joint_pos_target.torch
    for step in range(20):
        commands = action(obs, step)
        session.env.action_manager.process_action(commands)
        arm.apply_actions()
        ours = target.clone()
        DifferentialInverseKinematicsAction.apply_actions(arm)
        assert torch.allclose(ours, target, atol=1e-6)
        obs = session.step(commands)


def test_gripper_follows_the_sign_of_its_action(session: Session):
    fingers = [i for i, name in enumerate(session.env.scene["robot"].joint_names) if "finger" in name]
    session.reset(seeds=range(ENVS))
    commands = session.neutral_actions().clone()
    commands[:, -1] = torch.tensor([1.0, -1.0, 1.0, -1.0])
    for _ in range(20):
        session.step(commands)
    widths = session.env.scene["robot"].data.joint_pos.torch[:, fingers].sum(1)
    assert (widths[[0, 2]] > 0.07).all()
    assert (widths[[1, 3]] < 0.01).all()
