"""Isaac Lab's own stacking task, driven by its own Isaac Teleop pipeline, on `native`."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from apprentice.demos import DemoWriter
from apprentice.errors import UserError
from apprentice.record.cfg import RecordCfg, ReplayCfg
from apprentice.record.loop import EpisodeLoop
from apprentice.record.operators import pipeline_for
from apprentice.record.recorder import demo_of
from apprentice.record.replay import replay_in
from apprentice.tasks.episode import file_meta
from apprentice.tasks.fingerprint import physics_fingerprint
from apprentice.tasks.session import open_session
from apprentice.teleop.frame import Command, Hand, TeleopFrame
from apprentice.teleop.isaacteleop.axes import from_openxr
from apprentice.teleop.isaacteleop.pipeline import pipeline_of
from apprentice.teleop.sources.replay import FrameReplay

TASK = "Isaac-Stack-Cube-Franka-IK-Abs-Mimic-v0"
TARGET = np.array((0.45, 0.1, 0.35))
"""Where the hand is to be, in the world (m)."""


@pytest.fixture(scope="module")
def session():
    with open_session(TASK) as opened:
        yield opened


def hand_over(target, session):
    """Where an operator at the task's anchor holds their hand for a point of the world, fingers down."""
    anchor = session.env.cfg.isaac_teleop.xr_cfg
    quarter = Rotation.from_euler("x", np.pi / 2).as_matrix()  # from y up to z up
    world_from_openxr, wanted = np.eye(4), np.eye(4)
    world_from_openxr[:3, :3] = Rotation.from_quat(anchor.anchor_rot).as_matrix() @ quarter
    world_from_openxr[:3, 3] = anchor.anchor_pos
    # half a turn points down, of which the task's pipeline adds a quarter itself
    wanted[:3, :3], wanted[:3, 3] = quarter, target
    return from_openxr(np.linalg.inv(world_from_openxr) @ wanted)


def test_the_robot_goes_where_the_operators_hand_is_and_closes_its_gripper(session):
    session.reset([0], [1])
    pipeline = pipeline_of(session)
    pose = hand_over(TARGET, session)
    fingers = [name for name in session.env.scene["robot"].joint_names if "finger" in name]
    where = [session.env.scene["robot"].joint_names.index(name) for name in fingers]
    openings = []
    for grip in (0.0, 1.0):
        for step in range(50):
            actions = pipeline.actions(
                [TeleopFrame(time_s=0.05 * step, hands={"franka": Hand(pose=pose, engaged=True, grip=grip)})]
            )
            assert actions.shape == (1, session.env.action_manager.total_action_dim)
            session.step(actions)
        openings.append(float(session.env.scene["robot"].data.joint_pos.torch[0, where].mean()))
    robot = session.env.scene["robot"]
    hand = robot.data.body_link_pose_w.torch[0, robot.body_names.index("panda_hand")]
    np.testing.assert_allclose(hand[:3].numpy(), TARGET, atol=0.01)
    assert float(Rotation.from_quat(hand[3:7].numpy()).as_matrix()[2, 2]) < -0.99, "it points down"
    assert openings[0] > 0.035 and openings[1] < 0.005


def test_actions_may_be_wanted_in_the_frame_of_a_link(session, monkeypatch):
    session.reset([0], [1])
    frame = TeleopFrame(time_s=0.0, hands={"franka": Hand(pose=hand_over(TARGET, session), engaged=True)})
    monkeypatch.setattr(session.env.cfg.isaac_teleop, "target_frame_prim_path", "/World/envs/env_0/Robot/panda_hand")
    (action,) = pipeline_of(session).actions([frame])
    robot = session.env.scene["robot"]
    link = robot.data.body_link_pose_w.torch[0, robot.body_names.index("panda_hand")].double().numpy()
    expected = Rotation.from_quat(link[3:7]).inv().apply(TARGET - link[:3])
    torch.testing.assert_close(action[:3].double(), torch.from_numpy(expected), rtol=0, atol=1e-5)


def test_tasks_that_cannot_be_driven_so_are_named(session, monkeypatch):
    monkeypatch.setattr(session.env.cfg.isaac_teleop, "target_frame_prim_path", "/World/envs/env_0/Robot/tail")
    frame = TeleopFrame(time_s=0.0, hands={"franka": Hand(pose=np.eye(4), engaged=True)})
    with pytest.raises(UserError, match="tail"):
        pipeline_of(session).actions([frame])
    monkeypatch.setattr(session.env.cfg, "isaac_teleop", None)
    with pytest.raises(UserError, match=f"{TASK}, which has none"):
        pipeline_of(session)


def test_an_episode_is_recorded_through_the_pipeline_and_replays_with_the_very_same_bits(session, tmp_path):
    hand = Hand(pose=hand_over(TARGET, session), engaged=True)
    frames = [
        TeleopFrame(time_s=0.0, hands={"franka": hand}, events=(Command.START,)),
        *(TeleopFrame(time_s=0.05 * k, hands={"franka": hand}) for k in range(1, 40)),
        TeleopFrame(time_s=2.0, hands={"franka": hand}, events=(Command.SAVE,)),
    ]
    cfg = RecordCfg(device=("isaacteleop",))
    pipeline = pipeline_for(session, cfg.device)
    loop = EpisodeLoop(session, lambda seed: FrameReplay(frames), cfg, pipeline=pipeline, rewinds=True)
    seeds = iter([3])
    (ended,) = loop.run(lambda: next(seeds, None))
    assert ended.saved
    reached = ended.tree["obs/datagen_info/eef_pose/franka"][-1, :3, 3]
    assert np.linalg.norm(reached - ended.tree["obs/datagen_info/eef_pose/franka"][0, :3, 3]) > 0.05
    with DemoWriter(tmp_path / "teleop.hdf5", task=TASK, meta=file_meta(session)) as writer:
        writer.append(demo_of(session, ended, cfg, physics_fingerprint(session)))
    (result,) = replay_in(session, tmp_path / "teleop.hdf5", ReplayCfg()).demos
    assert result.bit_exact
