"""NVIDIA's Isaac Teleop as a way to drive, and its recordings as frames, with its own package and no simulator."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isaacteleop.deviceio import McapReplayConfig
from isaacteleop.retargeters import Se3AbsRetargeter, Se3RetargeterConfig
from isaacteleop.retargeting_engine.deviceio_source_nodes import HandsSource
from isaacteleop.retargeting_engine.interface import OutputCombiner, TensorGroup, ValueInput
from isaacteleop.retargeting_engine.tensor_types import TransformMatrix
from isaacteleop.teleop_session_manager import SessionMode, TeleopSession, TeleopSessionConfig
from isaacteleop_recording import STEP_NS, controller, write_recording
from scipy.spatial.transform import Rotation

from apprentice.errors import UserError
from apprentice.tasks.registry import load_env_cfg
from apprentice.teleop.frame import Command, Hand, TeleopFrame, is_pose
from apprentice.teleop.isaacteleop.axes import from_openxr, to_openxr
from apprentice.teleop.isaacteleop.pipeline import TaskPipeline
from apprentice.teleop.isaacteleop.replay import read_recording

TASK = "Isaac-Stack-Cube-Franka-IK-Abs-Mimic-v0"


@pytest.fixture(scope="module")
def stock():
    """What Isaac Lab's stacking task says about Isaac Teleop."""
    return load_env_cfg(TASK).isaac_teleop


@pytest.fixture
def pipeline(stock):
    return TaskPipeline(stock, ["franka"], action_dim=8)


def pose(x, y, z, turn=(0.0, 0.0, 0.0)):
    made = np.eye(4)
    made[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    made[:3, 3] = x, y, z
    return made


def frame(hand_pose, *, engaged=True, grip=0.0, eef="franka"):
    return TeleopFrame(time_s=0.0, hands={eef: Hand(pose=hand_pose, engaged=engaged, grip=grip)})


def act(pipeline, one):
    action = pipeline.actions([one])
    return None if action is None else action[0].numpy()


vectors = st.tuples(*[st.floats(-2.0, 2.0)] * 3)


@given(vectors, vectors)
def test_axes_there_and_back(position, turn):
    here = pose(*position, turn)
    assert is_pose(to_openxr(here))
    np.testing.assert_allclose(from_openxr(to_openxr(here)), here, atol=1e-12)


def test_ahead_left_and_up_are_so_in_both():
    moved = from_openxr(pose(-0.2, 1.1, -0.3))  # left, up, ahead in OpenXR
    np.testing.assert_allclose(moved[:3, 3], (0.3, 0.2, 1.1))
    to_the_left = from_openxr(pose(0.0, 0.0, 0.0, (0.0, 0.4, 0.0)))
    np.testing.assert_allclose(to_the_left, pose(0.0, 0.0, 0.0, (0.0, 0.0, 0.4)), atol=1e-12)


def sweep(steps=60):
    """A right controller that moves, turns and closes, while the left one is not there."""
    return [
        {
            "left": None,
            "right": controller(
                (0.2 + 0.002 * k, 1.1, -0.3 - 0.003 * k),
                quat=Rotation.from_rotvec((0.01 * k, -0.02 * k, 0.3)).as_quat(),
                trigger=k / steps,
            ),
        }
        for k in range(steps)
    ]


def nvidias_own_actions(cfg, path, steps):
    """What Isaac Teleop's own session makes of a recording with a task's pipeline."""
    world = np.eye(4, dtype=np.float32)
    world[:3, :3] = Rotation.from_quat(cfg.xr_cfg.anchor_rot).as_matrix() @ [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    world[:3, 3] = cfg.xr_cfg.anchor_pos
    group = TensorGroup(TransformMatrix())
    group[0] = world
    session = TeleopSessionConfig(
        app_name="a test",
        pipeline=cfg.pipeline_builder(),
        mode=SessionMode.REPLAY,
        mcap_config=McapReplayConfig(str(path)),
        verbose=False,
    )
    with TeleopSession(session) as running:
        inputs = {"world_T_anchor": {ValueInput.VALUE: group}}
        return [np.array(running.step(external_inputs=inputs)["action"][0]) for _ in range(steps)]


def test_a_recording_gives_the_actions_that_nvidias_own_session_gives(stock, pipeline, tmp_path):
    path = tmp_path / "session.mcap"
    write_recording(path, sweep())
    frames = read_recording(path, ["franka"])
    ours = [act(pipeline, one) for one in frames[:-1]]  # the last one only asks to stop
    theirs = nvidias_own_actions(stock, path, len(ours))
    assert len(ours) == 60
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert {float(action[7]) for action in ours} == {1.0, -1.0}
    assert np.ptp([action[:3] for action in ours], axis=0).max() > 0.1


def test_a_recording_becomes_frames_with_times_poses_and_triggers(tmp_path):
    path = tmp_path / "session.mcap"
    steps = [{"left": controller((-0.2, 1.0, -0.4), trigger=0.25), "right": None}] * 3
    steps += [{"left": controller((-0.2, 1.0, -0.4), valid=False), "right": controller((0.3, 1.2, -0.5), trigger=1.0)}]
    write_recording(path, [{"left": None, "right": None}, *steps], source="my_controllers")
    frames = read_recording(path, ["robot_left", "robot_right"])
    assert [one.events for one in frames] == [(Command.START,), (), (), (), (Command.STOP,)]
    assert [sorted(one.hands) for one in frames] == [["robot_left"]] * 3 + [["robot_right"]] * 2
    np.testing.assert_allclose(np.diff([one.time_s for one in frames])[:-1], STEP_NS * 1e-9, atol=1e-6)
    hand = frames[0].hands["robot_left"]
    np.testing.assert_allclose(hand.pose[:3, 3], (0.4, 0.2, 1.0), atol=1e-6)
    assert hand.engaged and hand.grip == 0.25
    assert frames[3].hands["robot_right"].grip == 1.0


def test_one_arm_follows_the_left_controller_where_there_is_no_right_one(tmp_path):
    path = tmp_path / "session.mcap"
    write_recording(path, [{"left": controller((-0.2, 1.0, -0.4))}] * 2)
    assert all(one.hands["franka"].engaged for one in read_recording(path, ["franka"]))


def test_nothing_moves_before_a_hand_is_engaged(pipeline):
    assert act(pipeline, None) is None
    assert act(pipeline, TeleopFrame(time_s=0.0)) is None
    assert act(pipeline, frame(pose(0.3, -0.2, 1.1), engaged=False)) is None
    assert act(pipeline, frame(pose(0.3, -0.2, 1.1))) is not None
    pipeline.reset()
    assert act(pipeline, frame(pose(0.3, -0.2, 1.1), engaged=False)) is None


def test_the_arm_goes_where_the_hand_is_in_the_world(pipeline, stock):
    action = act(pipeline, frame(pose(0.3, -0.2, 1.1)))
    forward, right = 0.3, 0.2
    turn = Rotation.from_quat(stock.xr_cfg.anchor_rot).as_matrix()
    expected = np.array(stock.xr_cfg.anchor_pos) + turn @ (right, forward, 1.1)
    np.testing.assert_allclose(action[:3], expected, atol=1e-6)


def test_a_hand_that_lets_go_or_vanishes_stays_and_keeps_its_grip(pipeline):
    held = act(pipeline, frame(pose(0.3, -0.2, 1.1), grip=1.0))
    assert held[7] == -1.0
    np.testing.assert_array_equal(act(pipeline, frame(pose(0.9, 0.5, 0.4), grip=1.0, engaged=False)), held)
    np.testing.assert_array_equal(act(pipeline, TeleopFrame(time_s=0.1)), held)
    assert act(pipeline, None) is None
    assert act(pipeline, frame(pose(0.9, 0.5, 0.4), grip=0.0, engaged=False))[7] == 1.0


def test_a_gripper_that_held_something_before_a_pause_holds_it_until_the_hand_agrees(pipeline):
    pipeline.reset({"franka": 1.0})
    for grip, command in ((0.0, -1.0), (0.2, -1.0), (0.9, -1.0), (0.1, 1.0)):
        assert act(pipeline, frame(pose(0.3, -0.2, 1.1), grip=grip))[7] == command


def hands_pipeline():
    hands = HandsSource(name="hands")
    anchor = ValueInput("world_T_anchor", TransformMatrix())
    parts = {}
    for side in ("left", "right"):
        device = f"hand_{side}"
        to_pose = Se3AbsRetargeter(Se3RetargeterConfig(input_device=device), name=f"pose_{side}")
        moved = hands.transformed(anchor.output(ValueInput.VALUE))
        parts[side] = to_pose.connect({device: moved.output(device)}).output("ee_pose")
    return OutputCombiner({"action": parts["left"], "right": parts["right"]})


class HandsCfg:
    """A task whose pipeline reads hand joints. Stands where OpenXR's floor is."""

    pipeline_builder = staticmethod(hands_pipeline)

    class xr_cfg:
        anchor_pos = (0.0, 0.0, 0.0)
        anchor_rot = (0.0, 0.0, 0.0, 1.0)
        anchor_prim_path = None


def test_pipelines_that_read_hand_joints_get_those_that_are_known():
    left_hand = {"arm_left": Hand(pose=pose(0.3, 0.2, 1.1), engaged=True, grip=0.4)}
    right_hand = {"arm_right": Hand(pose=pose(0.4, -0.2, 1.0), engaged=True)}
    two = TaskPipeline(HandsCfg, ["arm_left", "arm_right"], action_dim=7)
    assert two.actions([TeleopFrame(time_s=0.0, hands=left_hand)]) is None, "the right hand is still missing"
    action = two.actions([TeleopFrame(time_s=0.0, hands=left_hand | right_hand)])
    np.testing.assert_allclose(action[0, :3], (-0.2, 0.3, 1.1), atol=1e-6)


def test_poses_come_in_the_frame_that_the_task_wants():
    base = pose(0.1, -0.2, 0.5, (0.0, 0.0, 0.7))
    rebased = TaskPipeline(HandsCfg, ["arm"], action_dim=7, target_in_world=lambda: base)
    action = rebased.actions([frame(pose(0.3, 0.2, 1.1), eef="arm")])
    expected = np.linalg.inv(base) @ (-0.2, 0.3, 1.1, 1.0)
    np.testing.assert_allclose(action[0, :3], expected[:3], atol=1e-6)


def test_what_cannot_be_driven_is_said(stock):
    class Pedals(HandsCfg):
        @staticmethod
        def pipeline_builder():
            return OutputCombiner({"action": ValueInput("pedals", TransformMatrix()).output(ValueInput.VALUE)})

    class Walking(HandsCfg):
        class xr_cfg(HandsCfg.xr_cfg):
            anchor_prim_path = "/World/envs/env_0/Robot/pelvis"

    with pytest.raises(UserError, match="also wants pedals"):
        TaskPipeline(Pedals, ["arm"], action_dim=7)
    with pytest.raises(UserError, match=r"anchor follows .*pelvis"):
        TaskPipeline(Walking, ["arm"], action_dim=7)
    with pytest.raises(UserError, match="left and a right"):
        TaskPipeline(stock, ["arm_1", "arm_2"], action_dim=8)
    with pytest.raises(UserError, match=r"Expected 16 numbers.* found 8"):
        TaskPipeline(stock, ["franka"], action_dim=16).actions([frame(pose(0.3, -0.2, 1.1))])


def test_files_that_are_no_recordings_are_refused(tmp_path):
    path = tmp_path / "session.mcap"
    with pytest.raises(UserError, match="cannot be read"):
        read_recording(path, ["franka"])
    path.write_bytes(b"not an MCAP file at all")
    with pytest.raises(UserError, match="cannot be read"):
        read_recording(path, ["franka"])
    write_recording(path, [])
    with pytest.raises(UserError, match="expected the controllers"):
        read_recording(path, ["franka"])
    write_recording(path, [{"right": controller((0.0, 1.0, 0.0), valid=False)}] * 4)
    with pytest.raises(UserError, match="none in 4 readings"):
        read_recording(path, ["franka"])


def test_without_the_extra_the_cure_is_named(stock, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "isaacteleop"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "isaacteleop", None)  # makes importing it fail as if it was not there
    with pytest.raises(UserError, match=r"pip install 'isaaclab-apprentice\[xr\]'"):
        TaskPipeline(stock, ["franka"], action_dim=8)
    with pytest.raises(UserError, match=r"pip install 'isaaclab-apprentice\[xr\]'"):
        read_recording(tmp_path / "session.mcap", ["franka"])
