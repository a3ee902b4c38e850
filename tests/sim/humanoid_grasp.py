"""A grasp of the brick with a humanoid's right hand, by a clock: reach, close, lift 10 cm, hold for 2 s."""

import torch

from apprentice import poses
from apprentice.tasks.eef_maps import target_to_action
from apprentice.tasks.oracle import FORWARD

EEF = "right"
CLOSE_AT, LIFT_AT, HOLD_AT, END = 40, 60, 80, 120
"""Control steps of a grasp: 20 to close, 20 to lift 10 cm, 40 (2 s) to hold."""


def assert_it_grasps_lifts_and_holds(session, act=target_to_action) -> None:
    """In all environments, each with another place of the brick, and 5 mm beside the middle of it.

    `act` makes actions of the environment, targets and grips (1 open, -1 closed).
    """
    num_envs = session.num_envs
    obs = session.reset(seeds=range(num_envs))
    brick = obs["datagen_info/object_pose/brick"].clone()
    yaw = torch.atan2(brick[:, 1, 0], brick[:, 0, 0])
    turned = poses.rotation_z(yaw) @ torch.tensor(FORWARD)
    aside = (torch.rand(num_envs, 3, generator=torch.Generator().manual_seed(2)) - 0.5) * 0.01
    short, lifted, in_hand = 0.16 * turned[..., 2], [], []
    for step in range(END):
        place = poses.position(brick) + aside - short * (1 - min(1.0, max(0.0, (step - 20) / 15)))
        place[:, 2] += 0.1 * min(1.0, max(0.0, (step - LIFT_AT) / (HOLD_AT - LIFT_AT)))
        grip = torch.full((num_envs, 1), 1.0 if step < CLOSE_AT else -1.0)
        target = {EEF: poses.make_pose(place, turned)}
        obs = session.step(act(session.env, target, {EEF: grip}))
        there = obs["datagen_info/object_pose/brick"]
        lifted.append(there[:, 2, 3] - brick[:, 2, 3])
        in_hand.append(poses.position(poses.inverse(obs[f"datagen_info/eef_pose/{EEF}"]) @ there))
    assert session.subtask_signals()["grasp"].all()
    assert float(lifted[-1].min()) > 0.09
    assert float((in_hand[-1] - in_hand[HOLD_AT]).norm(dim=1).max()) < 0.005  # it does not slip
