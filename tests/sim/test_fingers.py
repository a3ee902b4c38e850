"""Hands whose finger joints are told one by one: by tracked fingers, or as one by a grip."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from humanoid_grasp import EEF, assert_it_grasps_lifts_and_holds
from recorded import generate

from apprentice.augment.cfg import AugmentCfg
from apprentice.demos import DemoFile, check_file
from apprentice.record.cfg import RecordCfg
from apprentice.record.operators import scripted_operators
from apprentice.record.recorder import record_session
from apprentice.tasks.finger_actions import actions_with_fingers
from apprentice.tasks.session import open_session
from apprentice.teleop.finger_commands import FingerCommands
from apprentice.teleop.frame import Hand, TeleopFrame

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from webxr_hands import towards_fist, webxr_hand

TASK, NUM_ENVS = "Apprentice-PickPlace-G1-Fingers", 4
CLOSES_S = 0.4


def person(closed: float) -> dict:
    """A person's right hand on its way from flat to a fist, 0 to 1."""
    return webxr_hand("right", towards_fist(closed))


class Tracked:
    """A scripted operator whose fingers a headset sees: they close and open as a person's do."""

    def __init__(self, operator, control_hz: float) -> None:
        self._operator, self._step, self._closed = operator, 1.0 / (CLOSES_S * control_hz), 0.0
        self.start, self.stop = operator.start, operator.stop

    def advance(self, time_s, view) -> None:
        self._operator.advance(time_s, view)

    def latest(self) -> TeleopFrame | None:
        frame = self._operator.latest()
        if frame is None:
            return None
        hand = frame.hands[EEF]
        self._closed += float(np.clip(hand.grip - self._closed, -self._step, self._step))
        return replace(frame, hands={EEF: replace(hand, grip=0.0, joints=person(self._closed))})


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, num_envs=NUM_ENVS) as opened:
        yield opened


@pytest.fixture(scope="module")
def source(session, tmp_path_factory) -> Path:
    operators, path = scripted_operators(session), tmp_path_factory.mktemp("source") / "source.hdf5"
    cfg = RecordCfg(demos=3, device=("scripted",))
    record_session(session, path, cfg, lambda seed: Tracked(operators(seed), session.control_hz))
    return path


@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "grip"])
def test_its_hand_grasps_lifts_and_holds(session, tracked):
    hands = session.fingers()
    assert [*hands] == [EEF] and len(hands[EEF].columns) == len(hands[EEF].hand.open)
    commands = FingerCommands(hands, NUM_ENVS)
    shown = {grip: {EEF: Hand(joints=person(0.5 - 0.5 * grip) if tracked else {})} for grip in (1.0, -1.0)}

    def act(env, targets, grips):
        frame = TeleopFrame(time_s=0.0, hands=shown[float(grips[EEF][0, 0])])
        said = {EEF: torch.ones(NUM_ENVS, 1)} if tracked else grips
        return actions_with_fingers(env, hands, targets, said, commands.postures([frame] * NUM_ENVS, said))

    assert_it_grasps_lifts_and_holds(session, act)


def test_tracked_fingers_stand_the_brick_on_the_pad(session, source):
    assert check_file(source).ok
    columns = list(session.fingers()[EEF].columns)
    with DemoFile(source) as file:
        demos = [file.read(name) for name in file.names]
    assert len(demos) == 3 and all(demo.success for demo in demos)
    for demo in demos:
        fingers = demo.actions[:, columns]
        assert np.ptp(fingers, axis=0).max() > 1.0
        assert np.abs(np.diff(fingers, axis=0)).max() < 1.2  # they close by and by


def test_their_demos_are_augmented(session, source):
    cfg = AugmentCfg(seed=7, task=TASK, num_envs=NUM_ENVS, threads=1)
    assert sum(one.outcome.success for one in generate(session, source, cfg, NUM_ENVS)) >= NUM_ENVS - 1
