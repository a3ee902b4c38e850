"""What an operator notices of a robot's fingers: they do what theirs do, wherever their hands are."""

import sys

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from webxr_hands import CYLINDER, FIST, FLAT, RELAXED, towards_fist, webxr_hand

from apprentice.errors import UserError
from apprentice.robots.fingered import HANDS, hands_of
from apprentice.robots.fingers import FingeredHand
from apprentice.tasks.finger_actions import FingerColumns
from apprentice.teleop.finger_commands import FingerCommands
from apprentice.teleop.fingers import FingerRetarget, in_palm
from apprentice.teleop.frame import Hand, TeleopFrame, problem

PINCH = RELAXED | {"thumb": "index", "index": 0.75}
DEX3, FOURIER = ({hand.side: hand for hand in HANDS[first : first + 2]} for first in (0, 2))
every_hand = pytest.mark.parametrize("hand", HANDS, ids=lambda hand: f"{hand.model.name}-{hand.side}")


def columns(hand: FingeredHand) -> FingerColumns:
    return FingerColumns(hand=hand, columns=tuple(range(len(hand.open))))


def closing(hand: FingeredHand, joints: np.ndarray) -> float:
    """How far a hand is closed, 0 to 1."""
    return float(0.5 - 0.5 * columns(hand).grip(torch.as_tensor(joints)))


def settled(robot: FingerRetarget, side: str, posture, pose=None, scale: float = 1.0) -> np.ndarray:
    """What a robot's hand does when a person has held a posture for a moment."""
    for _ in range(6):
        joints = robot.joints(webxr_hand(side, posture, pose, scale))
        assert joints is not None
    return joints


def far(tips, one: str, other: str) -> float:
    return float(np.linalg.norm(tips[one] - tips[other]))


@every_hand
def test_it_opens_closes_and_pinches_as_the_person_does(hand):
    robot = FingerRetarget(hand)
    assert robot.joint_names == tuple(hand.open)
    opened = settled(robot, hand.side, FLAT)
    assert closing(hand, opened) < 0.08
    apart = far(robot.tips(opened), "thumb", "index")
    assert closing(hand, settled(robot, hand.side, FIST)) > 0.85
    pinching = robot.tips(settled(robot, hand.side, PINCH))
    assert far(pinching, "thumb", "index") < 0.005  # the tips meet
    assert far(pinching, "thumb", "middle") > 0.05  # and the other finger stays out of it
    grasping = robot.tips(settled(robot, hand.side, CYLINDER))
    assert 0.02 < far(grasping, "thumb", "index") < 0.5 * apart
    assert closing(hand, settled(robot, hand.side, FLAT)) < 0.08  # and it opens again


@every_hand
def test_one_finger_bends_alone(hand):
    robot = FingerRetarget(hand)
    before = dict(zip(hand.open, settled(robot, hand.side, FLAT), strict=True))
    after = dict(zip(hand.open, settled(robot, hand.side, FLAT | {"middle": 1.2}), strict=True))
    moved = {name: abs(after[name] - before[name]) for name in hand.open}
    bent = [name for name in moved if "middle" in name]
    assert min(moved[name] for name in bent) > 0.6
    assert max(angle for name, angle in moved.items() if name not in bent and "thumb" not in name) < 0.15


@every_hand
def test_where_the_hand_is_how_it_is_turned_and_how_large_it_is_changes_nothing(hand):
    rng = np.random.default_rng(4)
    for posture in (FLAT, CYLINDER, FIST, PINCH):
        straight = settled(FingerRetarget(hand), hand.side, posture)
        for turn in Rotation.random(3, random_state=5).as_matrix():
            pose = np.eye(4)
            pose[:3, :3], pose[:3, 3] = turn, rng.uniform(-2, 2, 3)
            np.testing.assert_allclose(settled(FingerRetarget(hand), hand.side, posture, pose), straight, atol=0.05)
        tips = [
            FingerRetarget(hand).tips(settled(FingerRetarget(hand), hand.side, posture, scale=scale))
            for scale in (0.85, 1.15)
        ]
        for name in tips[0]:
            assert float(np.linalg.norm(tips[0][name] - tips[1][name])) < 0.02


@pytest.mark.parametrize("hands", [DEX3, FOURIER], ids=["dex3", "fourier"])
@pytest.mark.parametrize("posture", [FLAT, CYLINDER, FIST, PINCH], ids=["flat", "cylinder", "fist", "pinch"])
def test_the_left_hand_is_the_right_ones_mirror_image(hands, posture):
    robots = {side: FingerRetarget(hand) for side, hand in hands.items()}
    tips = {side: robot.tips(settled(robot, side, posture)) for side, robot in robots.items()}
    for name, tip in tips["left"].items():
        np.testing.assert_allclose(tip * (1, -1, 1), tips["right"][name], atol=0.006)


@every_hand
def test_fingers_go_steadily_and_stay_within_their_limits(hand):
    robot = FingerRetarget(hand)
    settled(robot, hand.side, FLAT)
    fingers = ["thumb" not in name for name in hand.open]  # a thumb may swing over to the finger that it meets
    last, closed = None, []
    for share in np.linspace(0.0, 1.0, 40):
        joints = robot.joints(webxr_hand(hand.side, towards_fist(share)))
        assert last is None or float(np.abs(joints - last)[fingers].max()) < 0.45
        last = joints
        closed.append(closing(hand, joints))
    assert float(np.diff(closed).min()) > -0.05 and closed[-1] > 0.85
    low, high = robot._limits
    assert (last >= low).all() and (last <= high).all()


def test_it_works_beside_a_simulation_which_needs_no_gradients():
    with torch.inference_mode():
        assert closing(DEX3["right"], settled(FingerRetarget(DEX3["right"]), "right", FIST)) > 0.85


def test_a_hand_that_is_not_all_seen_moves_no_finger():
    robot = FingerRetarget(DEX3["right"])
    person = webxr_hand("right", FIST)
    assert robot.joints({}) is None
    del person["ring-finger-tip"]
    assert robot.joints(person) is None and in_palm(person) is None
    nowhere = dict.fromkeys(webxr_hand("right", FIST), (0.0, 0.0, 0.0))
    assert robot.joints(nowhere) is None


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dex_retargeting.robot_wrapper", None)
    with pytest.raises(UserError, match=r"isaaclab-apprentice\[xr\]"):
        FingerRetarget(DEX3["right"])


def test_hands_are_known_by_their_joints():
    both = [*DEX3["left"].open, *DEX3["right"].open, "waist_yaw_joint"]
    assert hands_of(both) == (DEX3["left"], DEX3["right"])
    assert hands_of([*FOURIER["left"].open][:-1]) == ()


@every_hand
def test_a_grip_is_a_posture_between_open_and_closed(hand):
    part = columns(hand)
    torch.testing.assert_close(part.posture(torch.tensor([[1.0], [-1.0]])), torch.stack((part.open, part.closed)))
    grips = torch.linspace(-1, 1, 5)[:, None]
    torch.testing.assert_close(part.grip(part.posture(grips)), grips)


# commands

EEF = "right"


class Commands:
    """A robot hand in one environment."""

    def __init__(self) -> None:
        self.part = columns(DEX3["right"])
        self.commands = FingerCommands({EEF: self.part}, 1)

    def says(self, grip: float = 1.0, posture=None, *, heard: bool = True) -> torch.Tensor:
        """What the fingers are told when a device says `grip`, 1 open to -1 closed, or shows a hand."""
        joints = {} if posture is None else webxr_hand("right", posture)
        frame = TeleopFrame(time_s=0.0, hands={EEF: Hand(joints=joints)})
        grips = {EEF: torch.tensor([[grip]])}
        for _ in range(6):
            told = self.commands.postures([frame if heard else None], grips)[EEF]
        return told[0]

    def closed(self, *args, **kwargs) -> float:
        return float(0.5 - 0.5 * self.part.grip(self.says(*args, **kwargs)))


def test_without_tracked_fingers_the_grip_moves_them_all():
    hand = Commands()
    torch.testing.assert_close(hand.says(1.0), hand.part.open)
    torch.testing.assert_close(hand.says(-1.0), hand.part.closed)
    assert abs(hand.closed(0.0) - 0.5) < 1e-6


def test_tracked_fingers_have_the_say_and_silence_changes_nothing():
    hand = Commands()
    assert hand.closed(1.0, FIST) > 0.85
    assert hand.closed(1.0, heard=False) > 0.85
    assert hand.closed(-1.0, FLAT) < 0.1
    assert hand.closed(-1.0) == 1.0  # the hand puts down what is tracked and takes a controller


def test_going_on_with_something_in_the_hand_neither_drops_nor_crushes_it():
    hand = Commands()
    held = hand.says(1.0, CYLINDER)[None]
    hand.commands.reset([0], {EEF: held})
    torch.testing.assert_close(hand.says(1.0, FLAT), held[0])  # an open hand lets nothing fall
    assert hand.closed(1.0, CYLINDER) < 0.75
    assert hand.closed(1.0, FLAT) < 0.1  # it agreed: from now on it is followed
    hand.commands.reset([0])
    assert hand.closed(1.0, FIST) > 0.85  # an episode that begins follows at once


def test_the_same_frames_give_the_same_fingers_whatever_was_before():
    hand = Commands()
    ways = [towards_fist(share) for share in (0.0, 0.3, 0.6, 1.0)]
    first = [hand.says(1.0, posture) for posture in ways]
    hand.says(1.0, PINCH)
    hand.commands.reset([0])
    assert all(torch.equal(hand.says(1.0, posture), seen) for posture, seen in zip(ways, first, strict=True))


def test_nonsense_from_a_tracker_moves_nothing():
    joints = webxr_hand("right", FIST) | {"wrist": (float("nan"), 0.0, 0.0)}
    assert "joints" in str(problem(TeleopFrame(time_s=0.0, hands={EEF: Hand(joints=joints)})))
