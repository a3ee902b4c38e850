"""Recording, replaying and annotating on the real stack task, on `native`."""

import itertools
import threading
import time

import h5py
import numpy as np
import pytest
import torch

from apprentice.demos import DemoFile, DemoWriter, check_file
from apprentice.errors import UserError
from apprentice.record.annotate import annotate_in
from apprentice.record.cfg import AnnotateCfg, RecordCfg, ReplayCfg
from apprentice.record.loop import EpisodeLoop
from apprentice.record.machine import State
from apprentice.record.operators import scripted_operators
from apprentice.record.pace import Pace
from apprentice.record.recorder import demo_of, record_session
from apprentice.record.replay import replay_in
from apprentice.tasks.episode import file_meta
from apprentice.tasks.fingerprint import physics_fingerprint
from apprentice.tasks.session import open_session
from apprentice.teleop.frame import REWIND, Command, Hand, TeleopFrame
from apprentice.teleop.sources.base import ThreadedSource
from apprentice.teleop.sources.replay import FrameReplay

TASK = "Apprentice-Stack-Franka"
INFO = "obs/datagen_info"
CFG = RecordCfg(device=("scripted",), demos=3, num_envs=3, seed=20)


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, num_envs=3, variant="d0") as opened:
        yield opened


@pytest.fixture(scope="module")
def recorded(session, tmp_path_factory):
    path = tmp_path_factory.mktemp("record") / "demos.hdf5"
    result = record_session(session, path, CFG, scripted_operators(session))
    assert (result.demos, result.saved) == (3, 3)
    return path


def demos(path, group="data"):
    with DemoFile(path, group=group) as file:
        return [file.read(name) for name in file.names]


def test_demos_succeed_and_hold_and_end_there(session, recorded):
    for demo in demos(recorded):
        assert demo.success
        assert 150 < demo.length < CFG.longest
        states = {
            key.removeprefix("states/"): torch.from_numpy(value)
            for key, value in demo.data.items()
            if key.startswith("states/")
        }
        held = []
        for row in range(demo.length - 12, demo.length):
            session.set_state({key: value[row : row + 1] for key, value in states.items()}, [0])
            held.append(bool(session.success()[0]))
        assert held[-10:] == [True] * 10
        assert not held[-11]


def test_a_simulation_that_diverges_ends_its_episode_and_no_other(session, monkeypatch):
    step, steps = session.step, itertools.count()

    def diverging(*args):
        step(*args)
        if next(steps) == 30:
            session.move_object("cube_2", [1], poses=torch.full((1, 7), torch.nan))

    monkeypatch.setattr(session, "step", diverging)
    seeds = iter((20, 21, 22, 23))
    ended = list(EpisodeLoop(session, scripted_operators(session), CFG).run(lambda: next(seeds, None)))
    assert (ended[0].seed, ended[0].saved, len(ended[0].tree["actions"])) == (21, False, 31)
    assert sorted((one.seed, one.success) for one in ended[1:]) == [(20, True), (22, True), (23, True)]


def test_demos_say_where_they_come_from(recorded):
    with DemoFile(recorded) as file:
        assert file.meta["subtasks"]["franka"][0] == {
            "object": "cube_2",
            "signal": "grasp_1",
            "description": "Grasp the red cube",
        }
        attrs = [file.attrs(name) for name in file.names]
    assert sorted(one["seed"] for one in attrs) == [20, 21, 22]
    for one in attrs:
        assert (one["operator"], one["device"], one["task"], one["variant"]) == ("scripted", "scripted", TASK, "d0")
        assert one["backend"] == "native" and one["control_hz"] == 20.0
        assert one["versions"]["isaaclab"] == "3.0.0" and one["created"].endswith("+00:00")
        assert len(one["physics_fingerprint"]) == 16
    assert len({one["physics_fingerprint"] for one in attrs}) == 1


def test_demos_have_isaac_labs_layout_with_annotations_and_pass_the_check(recorded):
    demo = demos(recorded)[0]
    kinds = {"eef_pose/franka", "target_eef_pose/franka", *(f"object_pose/cube_{k}" for k in (1, 2, 3))}
    signals = {f"subtask_term_signals/{name}" for name in ("grasp_1", "stack_1", "grasp_2")}
    assert {key.removeprefix(f"{INFO}/") for key in demo.data if key.startswith(INFO)} == kinds | signals
    assert demo.data["initial_state/rigid_object/cube_1/root_pose"].shape == (1, 7)
    assert demo.data["states/articulation/robot/joint_position"].shape == (demo.length, 9)
    assert demo.data["obs/object"].shape == (demo.length, 39)
    first = [
        int(demo.data[f"{INFO}/subtask_term_signals/{name}"].argmax()) for name in ("grasp_1", "stack_1", "grasp_2")
    ]
    assert 0 < first[0] < first[1] < first[2] < demo.length
    assert check_file(recorded).ok


def test_what_an_action_asks_for_is_where_the_end_effector_goes(recorded):
    demo = demos(recorded)[0]
    current = demo.data[f"{INFO}/eef_pose/franka"][:, :3, 3]
    target = demo.data[f"{INFO}/target_eef_pose/franka"][:, :3, 3]
    np.testing.assert_allclose(target - current, demo.actions[:, :3], atol=1e-5)
    ahead = np.sum((target - current)[:-5] * (current[5:] - current[:-5]), 1)
    assert (ahead > -1e-4).mean() > 0.9


def test_replay_has_the_very_same_bits_and_certifies_it(session, recorded):
    report = replay_in(session, recorded, ReplayCfg())
    assert [(one.success, one.bit_exact, one.differs_at) for one in report.demos] == [(True, True, None)] * 3
    assert report.certified == 3
    with DemoFile(recorded) as file:
        certificates = [file.attrs(name)["certificate"] for name in file.names]
    assert all(one["bit_exact"] and one["success"] and one["backend"] == "native" for one in certificates)


def test_replay_notices_an_action_that_was_changed(session, recorded, tmp_path):
    changed = tmp_path / "changed.hdf5"
    changed.write_bytes(recorded.read_bytes())
    with h5py.File(changed, "r+") as file:
        file["data/demo_1/actions"][40, 0] += 0.05
    report = replay_in(session, changed, ReplayCfg(certify=False))
    assert [one.bit_exact for one in report.demos] == [True, False, True]
    assert report.demos[1].differs_at == 40
    assert report.certified == 0


@pytest.mark.parametrize("by", ["states", "actions"])
def test_demos_without_annotations_get_those_that_recording_would_have_written(session, recorded, tmp_path, by):
    bare = tmp_path / "bare.hdf5"
    bare.write_bytes(recorded.read_bytes())
    with h5py.File(bare, "r+") as file:
        for demo in file["data"].values():
            del demo["obs/datagen_info"]
            if by == "actions":
                del demo["states"]
    result = annotate_in(session, bare, AnnotateCfg(), steps={"demo_2": {"grasp_1": 9}})
    assert sorted(result.annotated) == ["demo_0", "demo_1", "demo_2"]
    assert (result.missing, result.failed) == ({}, [])
    for original, annotated in zip(demos(recorded), demos(bare), strict=True):
        for key in (key for key in original.data if key.startswith(INFO)):
            if (annotated.name, key) == ("demo_2", f"{INFO}/subtask_term_signals/grasp_1"):
                assert int(annotated.data[key].argmax()) == 9
            else:
                np.testing.assert_array_equal(annotated.data[key], original.data[key], err_msg=key)


@pytest.mark.parametrize("missing", ["initial_state", "actions"])
def test_demos_that_cannot_be_played_are_named(session, recorded, tmp_path, missing):
    broken = tmp_path / "broken.hdf5"
    broken.write_bytes(recorded.read_bytes())
    with h5py.File(broken, "r+") as file:
        del file[f"data/demo_1/{missing}"]
    with pytest.raises(UserError, match=rf"demo_1, {missing}"):
        replay_in(session, broken, ReplayCfg())


def test_recording_again_adds_new_episodes_and_changes_none(session, recorded, tmp_path):
    more = tmp_path / "more.hdf5"
    more.write_bytes(recorded.read_bytes())
    result = record_session(
        session, more, RecordCfg(device=("scripted",), demos=4, seed=20), scripted_operators(session)
    )
    assert (result.demos, result.saved) == (4, 1)
    assert [demo.attrs["seed"] for demo in demos(more)][3] == 23
    for old, kept in zip(demos(recorded), demos(more)[:3], strict=True):
        np.testing.assert_array_equal(old.actions, kept.actions)


def test_episodes_that_take_too_long_are_kept_apart_if_asked_and_recording_gives_up(session, tmp_path):
    cfg = RecordCfg(device=("scripted",), demos=1, max_steps=15, max_discarded=2, keep_failed=True)
    with pytest.raises(UserError, match="2 discarded"):
        record_session(session, tmp_path / "short.hdf5", cfg, scripted_operators(session))
    failed = demos(tmp_path / "short.hdf5", "failed")
    assert [(demo.length, demo.success) for demo in failed] == [(15, False)] * 2
    assert demos(tmp_path / "short.hdf5") == []


def moving(time_s, *events, speed=0.2):
    hand = Hand(twist=np.array([0.0, 0.0, speed, 0.0, 0.0, 0.0]))
    return TeleopFrame(time_s=time_s, hands={"franka": hand}, events=events)


def run(loop, seeds=(0,)):
    waiting = iter(seeds)
    return list(loop.run(lambda: next(waiting, None)))


def test_a_device_that_falls_silent_pauses_the_episode_and_the_robot_stands_still(session):
    frames = [moving(0.0, Command.START), *(moving(0.05 * k) for k in range(1, 11)), moving(2.0, Command.DISCARD)]
    states = []

    class Watched(FrameReplay):
        def advance(self, time_s, view):
            super().advance(time_s, view)
            states.append((loop.states[0], float(view.eef_poses["franka"][2, 3])))

    loop = EpisodeLoop(session, lambda seed: Watched(frames), RecordCfg())
    (ended,) = run(loop)
    assert not ended.saved
    assert 10 <= len(ended.tree["actions"]) <= 10 + 5
    paused = [height for state, height in states if state is State.PAUSED]
    assert len(paused) > 20
    assert len(set(paused)) == 1
    assert paused[0] > states[0][1] + 0.02


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_garbage_from_a_device_never_reaches_the_demo(session, bad):
    frames = [
        moving(0.0, Command.START),
        moving(0.05),
        moving(0.1, speed=bad),
        moving(0.15),
        moving(0.5, Command.DISCARD),
    ]
    (ended,) = run(EpisodeLoop(session, lambda seed: FrameReplay(frames), RecordCfg()))
    assert len(ended.tree["actions"]) == 2
    assert all(np.isfinite(value).all() for value in ended.tree.values())


class Person(ThreadedSource):
    """Starts, lifts the hand, and says when it is enough, in real time."""

    def __init__(self):
        super().__init__("person")
        self._readings = itertools.count()
        self._wait = threading.Event()

    def close(self):
        self._wait.set()

    def read(self):
        self._wait.wait(0.01)
        number = next(self._readings)
        events = {0: (Command.START,), 150: (Command.SAVE,)}.get(number, ())
        return moving(time.monotonic(), *events)


def test_a_person_drives_in_real_time_and_saves_on_their_word(session, tmp_path):
    loop = EpisodeLoop(session, lambda seed: Person(), RecordCfg(), pace=Pace(session.control_hz), countdown_s=0.1)
    (ended,) = run(loop)
    assert ended.saved and not ended.success
    assert 0 < ended.pace["achieved_hz"] <= session.control_hz * 1.05
    heights = ended.tree[f"{INFO}/eef_pose/franka"][:, 2, 3]
    assert heights[-1] > heights[0] + 0.02


def test_what_is_rewound_leaves_the_demo_and_the_rest_replays_with_the_very_same_bits(session, tmp_path):
    def reach(k, *events, down=0.0, grip=0.0, buttons=()):
        hand = Hand(twist=np.array([0.1, 0.05, down, 0.0, 0.0, 0.3]), grip=grip)
        return TeleopFrame(time_s=0.05 * k, hands={"franka": hand}, events=events, buttons=frozenset(buttons))

    mistake = [reach(k, down=-0.25, grip=1.0) for k in range(21, 61)]
    frames = [
        reach(0, Command.START),
        *(reach(k, down=0.1) for k in range(1, 21)),
        reach(21, Command.MARK, down=-0.25),
        *mistake[1:],
        *(reach(k, buttons=[REWIND]) for k in range(61, 72)),
        *(reach(k) for k in range(72, 75)),
        reach(75, Command.START, down=0.2),
        *(reach(k, down=0.2) for k in range(76, 116)),
        reach(116, Command.MARK),
        reach(117),
        reach(118, Command.MARK),
        reach(119, Command.SAVE),
    ]
    states = []

    class Noted:
        def on_frame(self, slot, frame, now_s, lost):
            assert not lost
            states.append(slot.state)

        def on_tick(self, loop):
            pass

        def on_undo(self):
            pass

    loop = EpisodeLoop(session, lambda seed: FrameReplay(frames), RecordCfg(), rewinds=True, watcher=Noted())
    (ended,) = run(loop, [3])
    assert states.count(State.REWINDING) == 11
    assert State.PAUSED in states
    kept = len(ended.tree["actions"]) - 41
    assert 14 <= kept <= 20  # 61 steps, less 11 times 4
    heights = ended.tree[f"{INFO}/eef_pose/franka"][:, 2, 3]
    assert heights.min() > heights[0] - 0.06, "the way down was cut"
    assert (ended.tree["actions"][:, -1] > 0).all(), "so was closing the gripper"
    marks = [int(ended.tree[f"{INFO}/subtask_term_signals/{name}"].argmax()) for name in ("grasp_1", "stack_1")]
    assert marks[0] > kept, "the mark that was set in what was undone is gone"
    assert marks[1] == marks[0] + 2
    with DemoWriter(tmp_path / "rewound.hdf5", task=TASK, meta=file_meta(session)) as writer:
        writer.append(demo_of(session, ended, RecordCfg(), physics_fingerprint(session)))
    (result,) = replay_in(session, tmp_path / "rewound.hdf5", ReplayCfg()).demos
    assert result.bit_exact


def test_an_operator_can_stop(session):
    frames = [moving(0.0, Command.START), moving(0.05), moving(0.1, Command.STOP)]
    loop = EpisodeLoop(session, lambda seed: FrameReplay(frames), RecordCfg())
    assert run(loop, range(100)) == []
    assert loop.stopping
