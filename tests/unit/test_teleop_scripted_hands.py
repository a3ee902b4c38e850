"""Two scripted hands of one person wait for each other and keep one pace. Their world follows at once."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from apprentice.tasks.oracle import Oracle, Stage, Waypoint
from apprentice.teleop.frame import Command
from apprentice.teleop.sources.base import View
from apprentice.teleop.sources.scripted import ScriptedCfg
from apprentice.teleop.sources.scripted_hands import ScriptedHands

HZ = 20.0
ENDS_M = {"left": 0.2, "right": -0.2}


def _bar():
    bar = np.eye(4)
    bar[:3, 3] = 0.5, 0.0, 0.02
    return bar


def _oracle(eef):
    spot = (0.0, ENDS_M[eef], 0.0)
    after = "left is there" if eef == "right" else None
    waypoints = (
        Waypoint(about="bar", height_m=0.1, closed=False, at_m=spot, after=after),
        Waypoint(about="bar", height_m=0.0, closed=False, careful=True, at_m=spot, says=f"{eef} is there"),
        Waypoint(about=None, height_m=0.0, closed=True, after="right is there"),
        Waypoint(about=None, height_m=0.2, closed=True, exact=True),
    )
    return Oracle(eef=eef, stages=(Stage(waypoints=waypoints),))


def play(seed):
    hands = {eef: np.eye(4) for eef in ENDS_M}
    for eef, y in ENDS_M.items():
        hands[eef][:3, :3] = Rotation.from_euler("x", np.pi).as_matrix()
        hands[eef][:3, 3] = 0.4, y, 0.3
    person = ScriptedHands(
        [_oracle(eef) for eef in ENDS_M],
        control_hz=HZ,
        seed=seed,
        cfg=ScriptedCfg(pause_chance=0.0, miss_chance=0.0),
    )
    frames, paths = [], []
    for tick in range(800):
        view = View(eef_poses={eef: hand.copy() for eef, hand in hands.items()}, object_poses={"bar": _bar()})
        person.advance(tick / HZ, view)
        frames.append(person.latest())
        for eef, hand in frames[-1].hands.items():
            hands[eef][:3, 3] += hand.twist[:3] / HZ
            hands[eef][:3, :3] = Rotation.from_rotvec(hand.twist[3:] / HZ).as_matrix() @ hands[eef][:3, :3]
        paths.append({eef: hand[:3, 3].copy() for eef, hand in hands.items()})
        if person.done:
            break
    return person, frames, paths


def test_a_hand_waits_until_the_other_has_done_its_part():
    for seed in range(5):
        person, frames, paths = play(seed)
        assert person.done
        moves = {eef: [np.abs(frame.hands[eef].twist).max() > 0 for frame in frames] for eef in ENDS_M}
        begins = moves["right"].index(True)
        left_end = np.array((0.5, ENDS_M["left"], 0.02))
        assert moves["left"].index(True) < begins
        assert np.linalg.norm(paths[begins]["left"] - left_end) < 0.03
        # the left hand stays open until the right hand is there as well
        closes = next(step for step, frame in enumerate(frames) if frame.hands["left"].grip > 0.5)
        assert np.linalg.norm(paths[closes]["right"] - (0.5, ENDS_M["right"], 0.02)) < 0.03


def test_what_a_hand_lost_it_does_not_say_to_hold():
    rise = Waypoint(about=None, height_m=0.2, closed=True)
    takes = (
        Waypoint(about=None, height_m=0.0, closed=False),
        Waypoint(about=None, height_m=0.0, closed=True, brings="bar", says="left holds"),
    )
    oracles = (
        Oracle(eef="left", stages=(Stage(waypoints=(*takes, rise)),)),
        Oracle(eef="right", stages=(Stage(waypoints=(replace(rise, after="left holds"),)),)),
    )
    person = ScriptedHands(oracles, control_hz=HZ, seed=0, cfg=ScriptedCfg(pause_chance=0.0))
    hands, bar = {eef: np.eye(4) for eef in ENDS_M}, np.eye(4)

    def right_moves(steps, at_m):
        bar[2, 3] = at_m
        moves = False
        for tick in range(steps):
            person.advance(tick / HZ, View(eef_poses=hands, object_poses={"bar": bar.copy()}))
            moves |= bool(np.abs(person.latest().hands["right"].twist).max() > 0)
        return moves

    assert not right_moves(60, at_m=0.1)  # it closed on nothing, again and again
    assert right_moves(60, at_m=0.0)


def test_both_hands_go_to_their_end_of_the_object_and_rise_alike():
    _, frames, paths = play(3)
    assert frames[0].events == (Command.START,)
    assert all(frame.events == () for frame in frames[1:])
    for eef, y in ENDS_M.items():
        assert abs(paths[-1][eef][1] - y) < 0.03
        assert paths[-1][eef][2] > 0.15
    assert abs(paths[-1]["left"][2] - paths[-1]["right"][2]) < 0.05


def test_the_same_seed_is_the_same_person():
    twists = [[frame.hands["left"].twist for frame in play(seed)[1]] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(twists[0], twists[1])
    assert len(twists[0]) != len(twists[2]) or not np.array_equal(twists[0], twists[2])
