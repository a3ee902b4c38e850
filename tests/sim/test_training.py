"""Rollouts during training, on the real simulator."""

import json
from pathlib import Path

import numpy as np
import torch

from apprentice.demos import Demo, DemoWriter
from apprentice.learn.cfg import TrainCfg
from apprentice.learn.training.train import train
from apprentice.pipeline.training import TrainingCfg, train_policy


def write_demos(path: Path) -> Path:
    """Demos of random motions, with two of the observations of the task."""
    rng = np.random.default_rng(0)
    with DemoWriter(path, task="Apprentice-Stack-Franka") as writer:
        for _ in range(6):
            data = {
                "obs/eef_pos": rng.normal(size=(20, 3)).astype(np.float32),
                "obs/gripper_pos": rng.uniform(0, 0.04, (20, 2)).astype(np.float32),
            }
            actions = rng.uniform(-0.2, 0.2, (20, 7)).astype(np.float32)
            writer.append(Demo(actions=actions, success=True, data=data))
    return path


def test_rollouts_are_logged_and_change_nothing_of_what_is_learned(tmp_path: Path):
    torch.set_num_threads(1)
    demos = write_demos(tmp_path / "demos.hdf5")
    common = {"algo": "bc_gaussian", "steps": 30, "batch_size": 20, "log_every": 10}
    train(demos, tmp_path / "plain", TrainCfg(**common))
    cfg = TrainingCfg(**common, evaluate_every=20, rollouts=2, num_envs=2, threads=1)
    result = train_policy(demos, tmp_path / "played", cfg)

    lines = [json.loads(line) for line in (tmp_path / "played" / "log.jsonl").read_text().splitlines()]
    played = [line for line in lines if "success" in line]
    assert [line["step"] for line in played] == [20]
    for line in played:
        assert line["success"] == 0.0 == line["success_low"] and 0.6 < line["success_high"] < 0.7
        assert line["rollouts"] == 2
    assert not result.stopped and result.steps == 30
    plain = torch.load(tmp_path / "plain" / "policy.pth", weights_only=True)["model"]
    for name, value in torch.load(result.policy, weights_only=True)["model"].items():
        assert torch.equal(value, plain[name]), name
    # a finished run is answered without a simulator
    assert train_policy(demos, tmp_path / "played", cfg) == result
