"""What the robot is asked to do about a hand, as an operator would feel it."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from apprentice.poses import exp_rotation, make_pose, position, rotation, rotation_angle
from apprentice.teleop.frame import Hand, TeleopFrame
from apprentice.teleop.retarget import Retarget, RetargetCfg
from apprentice.teleop.smoothing import SmoothingCfg

relaxed = settings(deadline=None, max_examples=50)

HZ = 20.0
QUICK = SmoothingCfg(cutoff_hz=1e12)
vectors = st.lists(st.floats(-0.4, 0.4), min_size=3, max_size=3).map(torch.tensor)


def pose(at=(0.0, 0.0, 0.0), turn=(0.0, 0.0, 0.0)):
    return make_pose(torch.as_tensor(at, dtype=torch.float64), exp_rotation(torch.as_tensor(turn, dtype=torch.float64)))


def frame(twist=(0.0,) * 6, **hand):
    return TeleopFrame(time_s=0.0, hands={"arm": Hand(twist=np.array(twist, dtype=np.float64), **hand)})


def begun(current, **cfg):
    retarget = Retarget(RetargetCfg(**cfg), num_envs=len(current), control_hz=HZ)
    retarget.reset(range(len(current)), {"arm": current})
    return retarget


@relaxed
@given(at=vectors, turn=vectors)
def test_a_hand_at_rest_leaves_the_robot_where_it_is(at, turn):
    current = pose(at, turn)[None]
    retarget = begun(current)
    for _ in range(5):
        targets, _ = retarget.targets([frame()], {"arm": current})
    torch.testing.assert_close(targets["arm"], current)


def test_without_a_usable_frame_the_robot_stops_at_once_and_keeps_its_grip():
    current = pose()[None]
    retarget = begun(current)
    retarget.targets([frame((0.3, 0, 0, 0, 0, 0), grip=1.0)], {"arm": current})
    before, _ = retarget.targets([None], {"arm": current})
    after, grip = retarget.targets([None], {"arm": current})
    torch.testing.assert_close(after, before)
    assert grip["arm"].item() == -1.0


@relaxed
@given(linear=vectors, angular=vectors, steps=st.integers(1, 20))
def test_an_arm_that_follows_at_once_covers_velocity_times_time(linear, angular, steps):
    current = pose()[None]
    retarget = begun(current, lead_s=0.0, speed_m_s=10.0, turn_speed_rad_s=10.0)
    for _ in range(steps):
        targets, _ = retarget.targets([frame([*linear, *angular])], {"arm": current})
        current = targets["arm"]
    expected = pose(linear.double() * steps / HZ, angular.double() * steps / HZ)
    torch.testing.assert_close(current[0], expected, atol=1e-6, rtol=0)


def test_a_blocked_arm_is_not_pulled_farther_than_its_leash():
    current = pose()[None]
    retarget = begun(current, lead_s=0.0, leash_m=0.1, leash_rad=0.3)
    for _ in range(200):
        targets, _ = retarget.targets([frame((0.5, 0, 0, 0, 0, 2.0))], {"arm": current})
    assert position(targets["arm"]).norm().item() <= 0.1 + 1e-6
    assert rotation_angle(rotation(targets["arm"])).item() <= 0.3 + 1e-6


def test_a_wild_hand_moves_the_robot_at_its_speed_limit_only():
    current = pose()[None]
    retarget = begun(current, lead_s=0.0, speed_m_s=0.2)
    targets, _ = retarget.targets([frame((1e6, 0, 0, 0, 0, 0))], {"arm": current})
    torch.testing.assert_close(position(targets["arm"])[0], torch.tensor([0.2 / HZ, 0, 0], dtype=torch.float64))


def test_environments_do_not_notice_each_other():
    current = torch.stack((pose(), pose((0.1, 0.2, 0.3))))
    retarget = begun(current)
    targets, grip = retarget.targets([frame((0.2, 0, 0, 0, 0, 0), grip=1.0), None], {"arm": current})
    torch.testing.assert_close(targets["arm"][1], current[1])
    assert grip["arm"].flatten().tolist() == [-1.0, 1.0]
    retarget.reset([0], {"arm": current})
    targets, grip = retarget.targets([None, None], {"arm": current})
    torch.testing.assert_close(targets["arm"], current)
    assert grip["arm"].flatten().tolist() == [1.0, 1.0]


@relaxed
@given(first=vectors, second=vectors, step=vectors)
def test_a_tracked_hand_moves_the_robot_only_while_engaged_and_never_makes_it_jump(first, second, step):
    current = pose((0.4, 0.0, 0.3))[None]
    retarget = begun(current, speed_m_s=1e3, turn_speed_rad_s=1e3, leash_m=10.0, leash_rad=3.0, smoothing=QUICK)
    hand = lambda at, engaged: frame(pose=pose(at).numpy(), engaged=engaged)  # noqa: E731
    for at, engaged in ((first, False), (second, False), (second, True)):
        targets, _ = retarget.targets([hand(at, engaged)], {"arm": current})
        torch.testing.assert_close(targets["arm"], current)
    targets, _ = retarget.targets([hand(second + step, True)], {"arm": current})
    torch.testing.assert_close(position(targets["arm"] - current)[0], step.double(), atol=1e-6, rtol=0)
