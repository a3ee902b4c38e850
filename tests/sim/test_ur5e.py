"""The UR5e with its Robotiq gripper: its grasp holds, the scripted operator stacks with it, and it learns from a Panda.

The Panda's demos are made in a process of their own: there is one simulation per process.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from recorded import record

from apprentice import poses
from apprentice.augment.cfg import AugmentCfg
from apprentice.augment.generator import Generator
from apprentice.augment.identity import file_sha256
from apprentice.augment.planning.reach import check_reach
from apprentice.augment.prepare import make_planners, require_usable
from apprentice.augment.run import Run
from apprentice.demos import DemoFile
from apprentice.record.cfg import ReplayCfg
from apprentice.record.replay import replay_in
from apprentice.tasks.session import open_session

TASK, NUM_ENVS, EEF = "Apprentice-Stack-UR5e", 16, "ur5e"
CFG = AugmentCfg(demos=8, seed=7, task=TASK, num_envs=NUM_ENVS, threads=1)
GRASP_AT, LIFT_AT, HOLD_AT, END = 50, 65, 95, 135
"""Control steps of a grasp: 15 to close, 30 to lift 10 cm, 40 (2 s) to hold."""


@pytest.fixture(scope="module")
def panda_demos(tmp_path_factory):
    path = tmp_path_factory.mktemp("panda") / "panda.hdf5"
    with subprocess.Popen([sys.executable, __file__, str(path)]) as process:  # while this one starts its simulator
        yield path, process


@pytest.fixture(scope="module")
def session(panda_demos):
    with open_session(TASK, num_envs=NUM_ENVS) as opened:
        yield opened


def test_a_grasp_holds_wherever_it_takes_the_cube(session):
    obs = session.reset(seeds=range(NUM_ENVS))
    generator = torch.Generator().manual_seed(5)
    # 1 cm aside and along, 6 mm up and down, 9 degrees aslant
    aside = (torch.rand(NUM_ENVS, 3, generator=generator) - 0.5) * torch.tensor([0.02, 0.02, 0.012])
    aslant = (torch.rand(NUM_ENVS, generator=generator) - 0.5) * 0.3
    quarter = torch.pi / 2
    cube = obs["datagen_info/object_pose/cube_2"].clone()
    yaw = torch.atan2(cube[:, 1, 0], cube[:, 0, 0]) + aslant
    yaw = (yaw + quarter / 2) % quarter - quarter / 2
    down = poses.rotation_z(yaw) @ torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    grasped = poses.position(cube) + aside
    lifted, in_hand = [], []
    for step in range(END):
        height = 0.1 * (1 - min(1.0, step / 30)) + 0.1 * min(1.0, max(0.0, (step - LIFT_AT) / (HOLD_AT - LIFT_AT)))
        target = poses.make_pose(grasped + torch.tensor([0.0, 0.0, height]), down)
        grip = torch.full((NUM_ENVS, 1), 1.0 if step < GRASP_AT else -1.0)
        obs = session.step(session.env.target_eef_poses_to_actions({EEF: target}, {EEF: grip}))
        there, hand = obs["datagen_info/object_pose/cube_2"], obs[f"datagen_info/eef_pose/{EEF}"]
        lifted.append(there[:, 2, 3] - cube[:, 2, 3])
        in_hand.append(poses.position(poses.inverse(hand) @ there))
    assert session.subtask_signals()["grasp_1"].all()
    assert float(lifted[-1].min()) > 0.085
    assert float((in_hand[-1] - in_hand[HOLD_AT]).norm(dim=1).max()) < 0.001  # it does not slip


def test_reach_is_looked_at_before_a_pandas_demos_stack_here_and_what_comes_out_replays(session, panda_demos, tmp_path):
    path, process = panda_demos
    assert process.wait() == 0
    transfer = require_usable(path, session.task_info, CFG)
    assert transfer is not None
    planners = make_planners(session, path, CFG, transfer)
    reach = check_reach(session, planners[EEF], CFG)
    assert [part.name for part in reach] == ["grasp_1", "stack_1", "grasp_2", "final"]
    assert all(part.out == 0 for part in reach)
    identity = {"source_sha256": file_sha256(path), "cfg": CFG.identity, "transfer": transfer.identity}
    identity = json.loads(json.dumps(identity))
    worker = Generator(session, planners, CFG, reach)
    made = Run(worker, source=path, output=tmp_path / "made.hdf5", cfg=CFG, identity=identity).generate()
    assert made.stats["successes"] == CFG.demos
    assert made.stats["dgr"] > 0.7
    assert made.stats["transfer"]["source_eef"] == "franka"
    assert len(made.stats["transfer"]["reach"]) == 4
    report = replay_in(session, made.output, ReplayCfg(certify=False))
    assert all(demo.success and demo.bit_exact for demo in report.demos)


def test_the_scripted_operator_stacks(session, tmp_path):
    with DemoFile(record(session, tmp_path / "own.hdf5", 2)) as file:
        assert file.task == TASK
        for name in file.names:
            heights = file.read(name).data["obs/datagen_info/object_pose/cube_3"][:, 2, 3]
            assert heights[-1] > 0.08


if __name__ == "__main__":
    with open_session("Apprentice-Stack-Franka", num_envs=4) as opened:
        record(opened, Path(sys.argv[1]), 4)
        sys.stdout.flush()
        os._exit(0)
