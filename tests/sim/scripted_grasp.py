"""A grasp of cube 2, by a clock: reach, close, lift, carry, hold. The same in every environment and at any time."""

import torch

from apprentice import poses

TASK = "Apprentice-Stack-Franka"
STEPS = 300
CLOSED = 120
"""Control step after which the gripper holds the cube and lifts."""


def action(obs: dict[str, torch.Tensor], step: int) -> torch.Tensor:
    """What to do at this step. Shape (N, 7)."""
    hand, cube = obs["datagen_info/eef_pose/franka"], obs["datagen_info/object_pose/cube_2"]
    at, place = poses.position(cube).clone(), poses.position(hand)
    turn = torch.zeros(len(at))
    if step < 100:
        at[:, 2] += 0.1 if step < 50 else 0.0
        quarter = torch.pi / 2
        angle = torch.atan2(cube[:, 1, 0], cube[:, 0, 0]) - torch.atan2(hand[:, 1, 0], hand[:, 0, 0])
        turn = (angle + quarter / 2) % quarter - quarter / 2
    elif step < CLOSED:
        at = place
    else:
        at[:, 0] = 0.5 if step < 200 else 0.45
        at[:, 1] = 0.0 if step < 200 else 0.2
        at[:, 2] = 0.25
    gripper = torch.full((len(at), 1), 1.0 if step < 100 else -1.0)
    zero = torch.zeros(len(at), 2)
    move = (2.0 * (at - place)).clamp(-0.2, 0.2)
    return torch.cat((move, zero, turn[:, None].clamp(-0.5, 0.5), gripper), dim=1)


def measured(session) -> torch.Tensor:
    """The scene's state and every policy observation, one row per environment. Shape (N, D)."""
    values = [*session.state().values(), *session.env.obs_buf["policy"].values()]
    return torch.cat([value.reshape(session.num_envs, -1) for value in values], dim=1).clone()
