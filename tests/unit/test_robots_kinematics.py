"""Kinematics of the arms: what is said to be reachable is reached, and what is out of reach is said to be."""

import math

import pytest
import torch

from apprentice.errors import UserError
from apprentice.poses import exp_rotation, log_rotation, make_pose, position, rotation
from apprentice.robots.assets import PANDA, UR5E, usd_path
from apprentice.robots.kinematics import Chain

ARMS = {
    "panda": (PANDA, "panda_hand", 0.1034, (0.0444, -0.1894, -0.1107, -2.5148, 0.0044, 2.3775, 0.6952)),
    "ur5e": (UR5E, "robotiq_palm", 0.152, (-0.301, -1.702, 1.887, -1.757, -1.571, -0.301)),
}


@pytest.fixture(scope="module", params=ARMS)
def arm(request):
    model, link, tool, home = ARMS[request.param]
    return Chain(usd_path(model), link, tool_m=tool), torch.tensor([home], dtype=torch.float64)


def test_both_hands_point_down_in_front_of_the_robot_at_home(arm):
    chain, home = arm
    pose = chain.forward(home)[0]
    assert pose[:3, 2] == pytest.approx([0, 0, -1], abs=0.08)
    assert pose[:2, 3] == pytest.approx([0.45, 0.0], abs=0.05)
    assert pose[:3, 0] == pytest.approx([1, 0, 0], abs=0.08)  # so demos of one suit the other


def test_joint_positions_that_are_found_bring_the_hand_there(arm):
    chain, home = arm
    generator = torch.Generator().manual_seed(3)
    some = torch.rand(20, 3, generator=generator, dtype=torch.float64)
    places = some * torch.tensor([0.25, 0.4, 0.2]) + torch.tensor([0.38, -0.2, 0.02])
    tilts = exp_rotation(0.3 * torch.randn(20, 3, generator=generator, dtype=torch.float64))
    targets = make_pose(places, tilts @ rotation(chain.forward(home)))
    joints, distance, angle = chain.solve(targets, home.expand(20, -1))
    assert distance.max() < 1e-3
    assert angle.max() < 1e-2
    there = chain.forward(joints)
    assert (position(there) - places).norm(dim=1).max() < 1e-3
    assert log_rotation(rotation(there).transpose(1, 2) @ rotation(targets)).norm(dim=1).max() < 1e-2
    assert bool(((joints >= chain.lower) & (joints <= chain.upper)).all())


def test_a_place_out_of_reach_stays_as_far_as_it_is(arm):
    chain, home = arm
    target = chain.forward(home)
    target[0, :3, 3] = torch.tensor([1.5, 0.0, 0.3])
    _, distance, _ = chain.solve(target, home)
    assert 0.3 < float(distance) < 1.2


def test_joint_limits_are_kept():
    model, link, tool, home = ARMS["panda"]
    chain = Chain(usd_path(model), link, tool_m=tool)
    start = torch.tensor([home], dtype=torch.float64)
    target = chain.forward(start) @ make_pose(
        torch.zeros(1, 3, dtype=torch.float64), exp_rotation(torch.tensor([[0.0, 0.0, math.pi]], dtype=torch.float64))
    )
    joints, _, angle = chain.solve(target, start)
    assert bool((joints <= chain.upper).all())
    assert bool((joints >= chain.lower).all())
    assert float(angle) < 0.05 or float(joints[0, 6]) == pytest.approx(float(chain.upper[6]), abs=0.02)


def test_a_link_that_the_robot_lacks_is_named():
    with pytest.raises(UserError, match="third_hand"):
        Chain(usd_path(UR5E), "third_hand")
