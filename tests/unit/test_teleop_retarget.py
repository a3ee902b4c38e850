"""What the robot is asked to do about a hand, as an operator would feel it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from apprentice.poses import exp_rotation, make_pose, position, rotation, rotation_angle
from apprentice.teleop.frame import CommandFrame, Hand, TeleopFrame
from apprentice.teleop.retarget import Retarget, RetargetCfg
from apprentice.teleop.smoothing import SmoothingCfg

relaxed = settings(max_examples=50)
quick = settings(max_examples=20)

HZ = 20.0
QUICK = SmoothingCfg(cutoff_hz=1e12)
vectors = st.lists(st.floats(-0.4, 0.4), min_size=3, max_size=3).map(torch.tensor)


def pose(at=(0.0, 0.0, 0.0), turn=(0.0, 0.0, 0.0)):
    return make_pose(torch.as_tensor(at, dtype=torch.float64), exp_rotation(torch.as_tensor(turn, dtype=torch.float64)))


def frame(twist=(0.0,) * 6, **hand):
    return TeleopFrame(time_s=0.0, hands={"arm": Hand(twist=np.array(twist, dtype=np.float64), **hand)})


def seen(frame, **settings):
    """A frame with other settings of the operator."""
    return replace(frame, **settings)


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


@quick
@given(first=vectors, step=vectors, speed=st.floats(0.1, 2.0), later=st.floats(0.1, 2.0))
def test_the_speed_setting_scales_what_a_tracked_hand_does_from_its_next_grasp_on(first, step, speed, later):
    current = pose((0.4, 0.0, 0.3))[None]
    retarget = begun(current, speed_m_s=1e3, turn_speed_rad_s=1e3, leash_m=10.0, leash_rad=3.0, smoothing=QUICK)
    hand = lambda at, speed: seen(frame(pose=pose(at).numpy(), engaged=True), axes={"speed": speed})  # noqa: E731
    retarget.targets([hand(first, speed)], {"arm": current})
    for setting in (speed, later):  # another setting while the robot is held does not make it jump
        targets, _ = retarget.targets([hand(first + step, setting)], {"arm": current})
        moved = position(targets["arm"] - current)[0]
        torch.testing.assert_close(moved, speed * step.double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("settings", "base_yaw", "expected"),
    [
        ({}, 0.0, (1, 0, 0)),
        ({"operator_yaw_rad": np.pi}, 0.0, (-1, 0, 0)),
        ({"operator_yaw_rad": np.pi / 2, "command_frame": CommandFrame.CAMERA}, 0.0, (0, 1, 0)),
        ({}, np.pi / 2, (0, 1, 0)),
        ({"command_frame": CommandFrame.WORLD}, np.pi / 2, (1, 0, 0)),
        ({"command_frame": CommandFrame.EEF}, 0.0, (0, 0, -1)),
    ],
)
def test_forward_is_where_the_command_frame_says(settings, base_yaw, expected):
    current = pose(turn=(0.0, np.pi / 2, 0.0))[None]  # its x points down
    retarget = begun(current, lead_s=0.0, base_yaw_rad=base_yaw)
    targets, _ = retarget.targets([seen(frame((0.2, 0, 0, 0, 0, 0)), **settings)], {"arm": current})
    moved = position(targets["arm"] - current)[0] * HZ / 0.2
    torch.testing.assert_close(moved, torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)


@relaxed
@given(first=vectors, step=vectors, yaw=st.floats(-np.pi, np.pi))
def test_a_tracked_hand_moves_along_the_operators_axes_and_turning_around_does_not_make_the_robot_jump(
    first, step, yaw
):
    current = pose((0.4, 0.0, 0.3))[None]
    retarget = begun(current, speed_m_s=1e3, turn_speed_rad_s=1e3, leash_m=10.0, leash_rad=3.0, smoothing=QUICK)
    hand = lambda at, yaw: seen(frame(pose=pose(at).numpy(), engaged=True), operator_yaw_rad=yaw)  # noqa: E731
    retarget.targets([hand(first, yaw)], {"arm": current})
    targets, _ = retarget.targets([hand(first + step, yaw)], {"arm": current})
    turned = exp_rotation(torch.tensor((0.0, 0.0, yaw), dtype=torch.float64)) @ step.double()
    torch.testing.assert_close(position(targets["arm"] - current)[0], turned, atol=1e-5, rtol=0)
    again, _ = retarget.targets([hand(first + step, yaw + 1.0)], {"arm": current})
    torch.testing.assert_close(again["arm"], targets["arm"], atol=1e-6, rtol=0)


@relaxed
@given(turn=vectors, local=vectors)
def test_a_hand_that_holds_the_tool_moves_it_along_its_own_axes(turn, local):
    current = pose((0.4, 0.0, 0.3), (0.0, 1.0, 0.5))[None]
    retarget = begun(current, speed_m_s=1e3, turn_speed_rad_s=1e3, leash_m=10.0, leash_rad=3.0, smoothing=QUICK)
    start, step = pose((0.1, 0.2, 0.3), turn), pose(local, local)
    for at in (start, start @ step):
        held = seen(frame(pose=at.numpy(), engaged=True), command_frame=CommandFrame.EEF)
        targets, _ = retarget.targets([held], {"arm": current})
    torch.testing.assert_close(targets["arm"], current @ step, atol=1e-6, rtol=0)


def test_letting_go_of_the_clutch_stops_the_target_at_once_however_far_the_hand_was_ahead():
    current = pose()[None]
    retarget = begun(current, speed_m_s=0.2)
    hand = lambda x, engaged: frame(pose=pose((x, 0.0, 0.0)).numpy(), engaged=engaged)  # noqa: E731
    for x in (0.0, 0.1, 0.2, 0.3):
        before, _ = retarget.targets([hand(x, True)], {"arm": current})
    assert position(before["arm"]).norm() > 0
    after, _ = retarget.targets([hand(0.3, False)], {"arm": current})
    torch.testing.assert_close(after, before)
    again, _ = retarget.targets([hand(1.0, True)], {"arm": current})
    torch.testing.assert_close(again, before)


@pytest.mark.parametrize("bad", [np.full((4, 4), np.nan), np.zeros((4, 4))])
def test_a_pose_that_is_none_holds_the_target_and_the_hand_takes_up_from_there(bad):
    current = pose()[None]
    retarget = begun(current)
    hand = lambda at: frame(pose=at, engaged=True)  # noqa: E731
    for x in (0.0, 0.02):
        before, _ = retarget.targets([hand(pose((x, 0.0, 0.0)).numpy())], {"arm": current})
    held, _ = retarget.targets([hand(bad)], {"arm": current})
    torch.testing.assert_close(held, before)
    again, _ = retarget.targets([hand(pose((0.5, 0.5, 0.5)).numpy())], {"arm": current})
    torch.testing.assert_close(again, before)


@quick
@given(start=vectors, pushes=st.lists(vectors, min_size=1, max_size=6))
def test_targets_stay_in_the_workspace_and_one_outside_only_comes_closer(start, pushes):
    low, high = torch.tensor((-0.2, -0.2, -0.1)).double(), torch.tensor((0.2, 0.1, 0.3)).double()
    current = pose(start)[None]
    retarget = begun(current, speed_m_s=5.0, lead_s=0.0, workspace=(tuple(low.tolist()), tuple(high.tolist())))
    outside = lambda at: torch.maximum(low - at, at - high).clamp(min=0)  # noqa: E731
    far = outside(position(current)[0])
    for push in pushes:
        targets, _ = retarget.targets([frame([*(5 * push), 0, 0, 0])], {"arm": current})
        current = targets["arm"]
        assert (outside(position(current)[0]) <= far + 1e-9).all()
        far = outside(position(current)[0])


def test_the_gripper_keeps_its_grip_until_the_device_agrees_once_then_follows():
    current = pose()[None]
    retarget = begun(current)
    retarget.reset([0], {"arm": current}, {"arm": torch.ones(1, 1)})
    grips = [retarget.targets([frame(grip=grip)], {"arm": current})[1]["arm"].item() for grip in (0, 0.4, 1, 0.2, 0)]
    assert grips == pytest.approx([-1, -1, -1, 0.6, 1])
    retarget.reset([0], {"arm": current}, {"arm": torch.zeros(1, 1)})
    grips = [retarget.targets([frame(grip=grip)], {"arm": current})[1]["arm"].item() for grip in (1, 0, 1)]
    assert grips == [1, 1, -1]
    retarget.reset([0], {"arm": current})
    assert retarget.targets([frame(grip=1)], {"arm": current})[1]["arm"].item() == -1


@quick
@given(
    frames=st.lists(
        st.tuples(
            st.lists(
                st.floats(allow_nan=False, allow_infinity=False, min_value=-50, max_value=50), min_size=6, max_size=6
            ),
            vectors,
            st.booleans(),
            st.booleans(),
        ),
        max_size=6,
    )
)
def test_whatever_hands_do_targets_never_outrun_their_limits(frames):
    current = pose()[None]
    retarget = begun(current, lead_s=0.0)
    cfg, last = RetargetCfg(), current
    for twist, at, posed, engaged in frames:
        given_pose = {"pose": pose(10 * at, 5 * at).numpy(), "engaged": engaged} if posed else {}
        targets, _ = retarget.targets([frame(twist, **given_pose)], {"arm": current})
        off = position(targets["arm"] - last).norm().item()
        apart = rotation_angle(rotation(targets["arm"]) @ rotation(last).transpose(-1, -2)).item()
        # by its twist and by its pose: each may move it at full speed, in one step
        assert off <= 2 * cfg.speed_m_s / HZ + 1e-6
        assert apart <= 2 * cfg.turn_speed_rad_s / HZ + 1e-4
        last = targets["arm"]


def _walked(first, second, frames, **cfg):
    """Targets after two steps between which the base went from one pose to the other. Shape (4, 4)."""
    current = pose((1.0, 0.0, 0.0))[None]
    retarget = begun(current, **cfg)
    retarget.targets([frames[0]], {"arm": current}, first[None])
    moved_along = second @ torch.linalg.inv(first) @ current
    targets, _ = retarget.targets([frames[1]], {"arm": moved_along}, second[None])
    return targets["arm"][0]


def test_hands_ride_along_with_a_base_that_the_operator_drives():
    start, end = pose(), pose((0.1, 0.05, 0.0), (0.0, 0.0, 0.3))
    driving = [seen(frame(), base=np.array([0.3, 0.0, 0.0]))] * 2
    expected = end @ pose((1.0, 0.0, 0.0))
    torch.testing.assert_close(_walked(start, end, driving), expected)
    here = pose((1.0, 0.0, 0.0))
    silent = _walked(start, end, [frame()] * 2, leash_m=9.0, leash_rad=9.0)  # a base that keeps up carries nobody along
    torch.testing.assert_close(silent, here)


def test_a_hand_commands_along_the_axes_of_a_robot_that_has_turned():
    facing = pose(turn=(0.0, 0.0, np.pi / 2))
    current = pose()[None]
    retarget = begun(current)
    targets, _ = retarget.targets([frame((0.2, 0, 0, 0, 0, 0))], {"arm": current}, facing[None])
    assert targets["arm"][0, 1, 3] > 0.01 and abs(targets["arm"][0, 0, 3]) < 1e-9


def test_a_tracked_hand_goes_on_from_where_the_base_carried_it():
    start, end = pose(), pose((0.1, 0.0, 0.0), (0.0, 0.0, 0.2))
    held = frame(pose=np.eye(4), engaged=True)
    driving = [seen(held, base=np.array([0.3, 0.0, 0.0]))] * 2
    torch.testing.assert_close(_walked(start, end, driving, smoothing=QUICK), end @ pose((1.0, 0.0, 0.0)))
