"""Two hands drive two arms at once: `two_arms` on `native`, from hands to demos and back."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import two_arms
from scipy.spatial.transform import Rotation
from two_arms import EEFS, LIFTED_M, TASK_ID, cube_of

from apprentice.demos import DemoFile, DemoWriter, check_file
from apprentice.record.cfg import RecordCfg, ReplayCfg
from apprentice.record.loop import EpisodeLoop
from apprentice.record.recorder import demo_of
from apprentice.record.replay import replay_in
from apprentice.tasks.eef_maps import action_to_target, target_to_action
from apprentice.tasks.episode import file_meta
from apprentice.tasks.fingerprint import physics_fingerprint
from apprentice.tasks.session import open_session
from apprentice.teleop.frame import Command, Hand, TeleopFrame
from apprentice.teleop.sources.replay import FrameReplay

INFO = "obs/datagen_info"
CFG = RecordCfg(device=("scripted",), max_steps=400)
DT = 0.05


@pytest.fixture(scope="module")
def session():
    with open_session(TASK_ID, num_envs=2) as opened:
        yield opened


class TwoHands:
    """Both hands at once, each from where its arm is to its cube and up again, as tracked poses. The right one is
    slower. Keeps the frames it made."""

    ABOVE_M = 0.12

    def __init__(self):
        self.frames, self._starts, self._cubes = [], None, None

    def start(self):
        pass

    def stop(self):
        pass

    def latest(self):
        return self.frames[-1]

    def advance(self, time_s, view):
        if self._starts is None:
            self._starts = {eef: view.eef_poses[eef].copy() for eef in EEFS}
            self._cubes = {eef: view.object_poses[cube_of(eef)].copy() for eef in EEFS}
        hands = {"left": self._hand("left", time_s), "right": self._hand("right", time_s / 1.5)}
        events = (Command.START,) if not self.frames else ()
        self.frames.append(TeleopFrame(time_s=time_s, hands=hands, events=events))

    def _hand(self, eef, clock_s):
        start, cube = self._starts[eef], self._cubes[eef]
        above, at = cube[:3, 3] + (0.0, 0.0, self.ABOVE_M), cube[:3, 3]
        yaw = float(np.arctan2(cube[1, 0], cube[0, 0]))
        down = (Rotation.from_euler("z", yaw) * Rotation.from_euler("x", np.pi)).as_matrix()
        legs = [(1.5, start[:3, 3], above), (1.5, above, at), (1.0, at, at), (1.5, at, above + (0.0, 0.0, 0.05))]
        pose = np.eye(4)
        # a hand may be anywhere, held anyhow: only its motion counts
        pose[:3, 3] = _along(legs, clock_s) + (0.3, -0.2, 1.1)
        turn = Rotation.from_matrix(down @ start[:3, :3].T).as_rotvec() * min(1.0, clock_s / 1.5)
        pose[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
        return Hand(pose=pose, engaged=True, grip=float(clock_s > 3.3))


def _along(legs, clock_s):
    for seconds, start, end in legs:
        if clock_s < seconds:
            return start + (end - start) * (clock_s / seconds)
        clock_s -= seconds
    return legs[-1][2]


def run(session, operators, seeds):
    waiting = iter(seeds)
    return list(EpisodeLoop(session, operators, CFG).run(lambda: next(waiting, None)))


@pytest.fixture(scope="module")
def lifted(session, tmp_path_factory):
    """Two episodes that two hands drove, their frames by seed, and the file they are in."""
    hands = {}

    def operator(seed):
        return hands.setdefault(seed, TwoHands())

    ended = run(session, operator, (4, 5))
    path = tmp_path_factory.mktemp("two_arms") / "demos.hdf5"
    with DemoWriter(path, task=TASK_ID, meta=file_meta(session)) as writer:
        for episode in ended:
            writer.append(demo_of(session, episode, CFG, physics_fingerprint(session)))
    return ended, {seed: source.frames for seed, source in hands.items()}, path


def test_a_seed_places_both_cubes_in_any_environment(session):
    session.reset([0, 1], [7, 8])
    before = {name: pose.clone() for name, pose in session.object_poses().items()}
    session.reset([1], [7])
    for name, pose in session.object_poses().items():
        torch.testing.assert_close(pose[1], before[name][0], rtol=0, atol=0)
        assert not torch.equal(before[name][0], before[name][1])


def test_standing_still_is_an_action_for_both_arms(session):
    session.reset([0, 1], [1, 2])
    start = {name: pose.clone() for name, pose in session.eef_poses().items()}
    still = session.neutral_actions()
    open_hands = {eef: torch.ones(2, 1) for eef in EEFS}
    torch.testing.assert_close(still, target_to_action(session.env, start, open_hands), rtol=0, atol=1e-5)
    for _ in range(10):
        session.step(still)
    for name, pose in session.eef_poses().items():
        torch.testing.assert_close(pose, start[name], rtol=0, atol=1e-3)


def test_targets_come_back_from_the_actions_made_of_them(session):
    session.reset([0, 1], [1, 2])
    targets = {eef: pose.clone() for eef, pose in session.eef_poses().items()}
    targets["left"][:, :3, 3] += torch.tensor((0.05, 0.02, -0.03))
    targets["right"][:, :3, 3] -= torch.tensor((0.01, 0.04, 0.02))
    grippers = {"left": torch.ones(2, 1), "right": -torch.ones(2, 1)}
    actions = target_to_action(session.env, targets, grippers)
    for eef, target in action_to_target(session.env, actions).items():
        torch.testing.assert_close(target, targets[eef], rtol=0, atol=1e-5)


def test_both_arms_use_the_cheap_jacobian_and_it_is_isaac_labs(session):
    from isaaclab.envs.mdp.actions.task_space_actions import DifferentialInverseKinematicsAction as Stock

    for name in ("left_reach", "right_reach"):
        term = session.env.action_manager.get_term(name)
        theirs = Stock._compute_frame_jacobian(term).clone()
        assert term._chain is not None
        torch.testing.assert_close(term._compute_frame_jacobian(), theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("moving", EEFS)
@pytest.mark.parametrize("other", ["rests", "is absent"])
def test_each_hand_moves_its_own_arm_and_no_other(session, moving, other):
    (resting,) = set(EEFS) - {moving}

    def frame(step, *events):
        hands = {moving: Hand(pose=_at(0.0, 0.1 * min(step, 20) / 20, 0.05), engaged=True)}
        if other == "rests":
            hands[resting] = Hand(pose=_at(0.4, 0.0, 0.2), engaged=True)
        return TeleopFrame(time_s=DT * step, hands=hands, events=events)

    frames = [frame(0, Command.START), *(frame(step) for step in range(1, 40)), frame(40, Command.SAVE)]
    (ended,) = run(session, lambda seed: FrameReplay(frames), (3,))
    paths = {eef: ended.tree[f"{INFO}/eef_pose/{eef}"][:, :3, 3] for eef in EEFS}
    travelled = paths[moving][-1] - paths[moving][0]
    np.testing.assert_allclose(travelled, (0.0, 0.1, 0.0), atol=0.01)
    assert np.abs(paths[resting] - paths[resting][0]).max() < 1e-3


def _at(x, y, z):
    pose = np.eye(4)
    pose[:3, 3] = x, y, z
    return pose


def test_two_hands_lift_both_cubes(lifted):
    ended, _, _ = lifted
    assert [(episode.saved, episode.success) for episode in ended] == [(True, True)] * 2
    for episode in ended:
        for eef in EEFS:
            heights = episode.tree[f"states/rigid_object/{cube_of(eef)}/root_pose"][:, 2]
            assert heights[0] < 0.03 and (heights[-10:] > LIFTED_M).all()


def test_demos_are_annotated_for_both_arms(lifted):
    _, _, path = lifted
    assert check_file(path).ok
    with DemoFile(path) as file:
        assert file.meta["eef_names"] == list(EEFS)
        demos = [file.read(name) for name in file.names]
    for demo in demos:
        assert demo.actions.shape == (demo.length, 2 * two_arms.WIDTH)
        done = {}
        for eef in EEFS:
            assert demo.data[f"{INFO}/eef_pose/{eef}"].shape == (demo.length, 4, 4)
            assert demo.data[f"{INFO}/target_eef_pose/{eef}"].shape == (demo.length, 4, 4)
            assert demo.data[f"{INFO}/object_pose/{cube_of(eef)}"].shape == (demo.length, 4, 4)
            signals = [demo.data[f"{INFO}/subtask_term_signals/{part}_{eef}"] for part in ("grasp", "lift")]
            grasp, lift = (int(signal.argmax()) for signal in signals)
            assert 0 < grasp < lift < demo.length
            done[eef] = grasp
        assert done["left"] < done["right"], "the right hand is slower"


def test_demos_of_two_arms_replay_with_the_very_same_bits(session, lifted):
    _, _, path = lifted
    report = replay_in(session, path, ReplayCfg())
    assert [(demo.success, demo.bit_exact, demo.differs_at) for demo in report.demos] == [(True, True, None)] * 2


def test_the_same_frames_drive_both_arms_the_same_way_again(session, lifted):
    ended, frames, _ = lifted
    again = run(session, lambda seed: FrameReplay([replace(frame) for frame in frames[seed]]), (4, 5))
    for first, second in zip(ended, again, strict=True):
        assert first.seed == second.seed
        np.testing.assert_array_equal(first.tree["actions"], second.tree["actions"])
