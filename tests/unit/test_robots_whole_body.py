"""Both hands of the G1 go where they are sent, as near as Isaac Lab's Pink controller brings them."""

from xml.etree import ElementTree as Xml

import numpy as np
import pink
import pinocchio
import pytest
import torch

from apprentice import poses
from apprentice.robots import g1, gr1t2
from apprentice.robots.assets import G1, G1_ON_BASE, GR1T2, usd_path
from apprentice.robots.g1 import WAIST_JOINTS, hand, ready_posture
from apprentice.robots.g1_urdf import standing
from apprentice.robots.humanoid import SIDES
from apprentice.robots.kinematics import Chain
from apprentice.robots.whole_body import WholeBody, WholeBodyCfg
from apprentice.tasks.oracle import FORWARD

TOOLS = {hand(side).link: torch.tensor(hand(side).grasp) for side in SIDES}
MANY = 24


@pytest.fixture(scope="module")
def body():
    cfg = WholeBodyCfg(reluctance=dict.fromkeys(WAIST_JOINTS, 4.0), iterations=20)
    return WholeBody(usd_path(G1), TOOLS, rest=ready_posture(), cfg=cfg)


@pytest.fixture(scope="module")
def home(body):
    """Shape (MANY, 17)."""
    posture = ready_posture()
    return torch.tensor([[posture[name] for name in body.names]], dtype=torch.float64).repeat(MANY, 1)


@pytest.fixture(scope="module")
def targets(body, home):
    """Up to 15 cm aside and 0.6 rad aslant from where the hands are. Shape (MANY, 2, 4, 4)."""
    rng = torch.Generator().manual_seed(3)
    off = (torch.rand(MANY, 2, 3, generator=rng, dtype=torch.float64) - 0.5) * 0.3
    yaw = (torch.rand(MANY, 2, generator=rng, dtype=torch.float64) - 0.5) * 1.2
    here = body.forward(home)
    return poses.make_pose(poses.position(here) + off, poses.rotation_z(yaw) @ poses.rotation(here))


def _apart(one, other):
    """Largest distance (m) and angle (rad) of poses."""
    turn = poses.rotation(one) @ poses.rotation(other).mT
    distance = (poses.position(one) - poses.position(other)).norm(dim=-1)
    return float(distance.max()), float(poses.rotation_angle(turn).max())


def test_forward_kinematics_are_those_of_one_arm(body, home):
    joints = home + 0.4 * torch.rand(home.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for index, side in enumerate(SIDES):
        chain = Chain(usd_path(G1), hand(side).link)
        columns = [body.names.index(name) for name in chain.names]
        expected = chain.forward(joints[:, columns]) @ TOOLS[hand(side).link].double()
        torch.testing.assert_close(body.forward(joints)[:, index], expected)


def test_hands_reach_their_targets_with_the_waist_and_within_the_limits(body, home, targets):
    joints = body.solve(targets, home)
    distance, angle = _apart(body.forward(joints), targets)
    assert distance < 0.003 and angle < 0.02
    assert (joints >= body.lower).all() and (joints <= body.upper).all()
    waist = [body.names.index(name) for name in WAIST_JOINTS]
    assert joints[:, waist].abs().max() > 0.05


def test_what_is_out_of_reach_is_approached_and_stays_calm(body, home):
    far = body.forward(home).clone()
    far[:, :, 0, 3] += 1.0
    joints = body.solve(far, home)
    again = body.solve(far, joints)
    reached = poses.position(body.forward(joints))
    assert (reached[..., 0] > poses.position(body.forward(home))[..., 0] + 0.2).all()
    assert (poses.position(body.forward(again)) - reached).norm(dim=-1).max() < 0.01
    assert (joints >= body.lower).all() and (joints <= body.upper).all()


def test_a_robot_is_solved_alike_alone_and_among_others(body, home, targets):
    together = body.solve(targets, home)
    alone = torch.cat([body.solve(targets[k : k + 1], home[k : k + 1]) for k in range(MANY)])
    assert torch.equal(together, alone)


def test_it_brings_the_hands_as_near_as_pink(body, home, targets, tmp_path):
    root = usd_path.__globals__["_locate"](G1)[0]
    robot = Xml.fromstring(standing(root))
    for link in robot.findall("link"):  # Pinocchio would look for the meshes
        for shape in (*link.findall("visual"), *link.findall("collision")):
            link.remove(shape)
    urdf = tmp_path / "g1.urdf"
    urdf.write_text(Xml.tostring(robot, encoding="unicode"))
    model = pinocchio.buildModelFromUrdf(str(urdf))
    rest, place = pinocchio.neutral(model), {name: model.joints[model.getJointId(name)].idx_q for name in body.names}
    for name, angle in ready_posture().items():
        rest[model.joints[model.getJointId(name)].idx_q] = angle
    joints = body.solve(targets, home)
    for k in range(4):
        configuration = pink.Configuration(model, model.createData(), rest)
        tasks = []
        for index, side in enumerate(SIDES):
            task = pink.FrameTask(hand(side).link, position_cost=8.0, orientation_cost=4.0, lm_damping=10.0)
            wrist = targets[k, index] @ poses.inverse(TOOLS[hand(side).link].double())
            task.set_target(pinocchio.SE3(wrist.numpy()))
            tasks.append(task)
        for _ in range(200):
            velocity = pink.solve_ik(configuration, tasks, 0.05, solver="daqp")
            configuration.integrate_inplace(velocity, 0.05)
        theirs = torch.tensor([[configuration.q[place[name]] for name in body.names]], dtype=torch.float64)
        distance, angle = _apart(body.forward(theirs), body.forward(joints[k : k + 1]))
        assert distance < 0.004 and angle < 0.012
        assert np.isfinite(configuration.q).all()


@pytest.mark.parametrize(("model", "robot"), [(G1, g1), (GR1T2, gr1t2)])
def test_hands_are_ready_in_front_of_the_robot_and_mirror_each_other(model, robot):
    frames = {hand.link: torch.tensor(hand.grasp) for hand in robot.HUMANOID.hands.values()}
    ready = robot.ready_posture()
    arms = WholeBody(usd_path(model), frames, rest=ready)
    left, right = arms.forward(torch.tensor([[ready[name] for name in arms.names]], dtype=torch.float64))[0]
    forward = torch.tensor(FORWARD, dtype=torch.float64).expand(2, 3, 3)
    assert float(poses.rotation_angle(poses.rotation(torch.stack((left, right))).mT @ forward).max()) < 0.01
    mirrored = poses.position(right) * torch.tensor((1.0, -1.0, 1.0), dtype=torch.float64)
    torch.testing.assert_close(mirrored, poses.position(left), atol=2e-3, rtol=0)
    assert left[0, 3] > 0.2 and left[1, 3] > 0.1


def test_on_a_base_the_same_joints_are_solved_for_from_the_pelvis_on(body, home):
    on_base = WholeBody(usd_path(G1_ON_BASE), TOOLS, rest=ready_posture(), base="pelvis")
    assert on_base.names == body.names
    torch.testing.assert_close(on_base.forward(home), body.forward(home))
    assert set(g1.BASE_JOINTS) <= set(WholeBody(usd_path(G1_ON_BASE), TOOLS, rest={}).names)
