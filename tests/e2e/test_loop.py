"""The whole loop, small: what `make demo` does, with a few demos and rollouts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from apprentice.demos import DemoFile

CONFIG = """
task: Apprentice-Stack-Franka
record: {demos: 3}
augment: {demos: 6, num_envs: 6}
train: {steps: 60}
evaluate: {rollouts: 4, num_envs: 4}
"""
SUITE = """
conditions:
- {name: late, delay_steps: 1}
- {name: slow, control_rate: 0.5}
- {name: dropped, mishap: drop}
- {name: dark, looks: {lights: 0.3}}
"""
STAGES = ["record", "annotate", "replay", "augment", "check", "train", "evaluate"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was killed in the middle of augmentation and then finished."""
    folder = tmp_path_factory.mktemp("loop")
    (folder / "small.yaml").write_text(CONFIG)
    process = subprocess.Popen(command(folder), cwd=folder, start_new_session=True, stdout=subprocess.DEVNULL)
    journal = folder / "run/generated.hdf5.attempts.jsonl"
    deadline = time.monotonic() + 600
    while process.poll() is None and not journal.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert process.poll() is None, "the run ended before augmentation could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    subprocess.run(command(folder), cwd=folder, check=True, timeout=1200)
    return folder / "run"


def command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "apprentice", "run", str(folder / "small.yaml"), "--output", str(folder / "run")]


def test_the_summary_has_the_numbers_that_a_run_promises(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    assert summary["record"]["episodes"] == 3
    assert summary["augment"]["successes"] == 6 <= summary["augment"]["attempts"]
    assert summary["augment"]["dgr"] == summary["augment"]["successes"] / summary["augment"]["attempts"]
    assert summary["augment"]["successes_per_hour"] > 0
    assert summary["train"]["steps"] == 60 and summary["train"]["seconds"] > 0
    assert summary["evaluate"]["rollouts"] == 4
    low, high = summary["evaluate"]["interval_95"]
    assert 0 <= low <= summary["evaluate"]["success_rate"] <= high <= 1
    assert summary["wall_seconds"] == pytest.approx(sum(summary["stage_seconds"].values()))
    assert list(summary["stage_seconds"]) == STAGES


def test_the_page_stands_alone(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "scripted" in page and "video" in page
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page


def test_source_demos_are_certified_and_name_their_operator(run: Path) -> None:
    with DemoFile(run / "source.hdf5") as demos:
        for name in demos.names:
            attrs = demos.attrs(name)
            assert attrs["operator"] == "scripted"
            assert attrs["certificate"]["bit_exact"] and attrs["certificate"]["success"]


def test_the_policy_is_a_robomimic_checkpoint(run: Path) -> None:
    from robomimic.utils.file_utils import policy_from_checkpoint

    from apprentice.learn.algorithms.plugins import require_robomimic

    require_robomimic()
    policy, checkpoint = policy_from_checkpoint(ckpt_path=str(run / "train/policy.pth"), device=torch.device("cpu"))
    with DemoFile(run / "generated.hdf5") as demos:
        demo = demos.read("demo_0")
    obs = {key: demo.data[f"obs/{key}"][0] for key in checkpoint["shape_metadata"]["all_obs_keys"]}
    policy.start_episode()
    assert policy(ob=obs).shape == demo.actions[0].shape


def test_running_again_does_nothing_over(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.suffix in (".hdf5", ".pth")}
    again = subprocess.run(command(run.parent), cwd=run.parent, check=True, capture_output=True, text=True, timeout=120)
    assert again.stdout.count("(done before)") == len(STAGES)
    assert before == {path: path.read_bytes() for path in before}


def test_a_suite_that_was_killed_goes_on(run: Path) -> None:
    output = run.parent / "suite"
    (run.parent / "suite.yaml").write_text(SUITE)
    said = ["--rollouts", "2", "--horizon", "60", "--videos", "0", "--threads", "1", "--output", str(output)]
    arguments = [sys.executable, "-m", "apprentice", "evaluate", str(run / "train"), "--suite"]
    arguments += [str(run.parent / "suite.yaml"), *said]
    process = subprocess.Popen(arguments, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while process.poll() is None and not (output / "late/evaluation.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.poll() is None, "the suite ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {name: (output / name / "evaluation.json").read_bytes() for name in ("nominal", "late")}
    subprocess.run(arguments, check=True, timeout=600)
    assert before == {name: (output / name / "evaluation.json").read_bytes() for name in before}
    found = {row["name"]: row for row in json.loads((output / "suite.json").read_text())["conditions"]}
    assert list(found) == ["nominal", "late", "slow", "dropped", "dark"]
    assert all(found[name]["against_nominal"]["rollouts"] == 2 for name in ("late", "slow"))
    slow, nominal = (json.loads((output / name / "evaluation.json").read_text()) for name in ("slow", "nominal"))
    assert slow["condition"] == {"control_rate": 0.5} and nominal["condition"] is None
    # sixty training steps do not make a policy that grasps
    assert "no occasion for a drop" in found["dropped"]["not_evaluated"]
    assert found["dark"]["not_evaluated"] == "the policy observes no images"
    assert "not evaluated: the policy observes no images" in (output / "report.html").read_text()


def test_another_configuration_does_not_touch_the_run(run: Path) -> None:
    (run.parent / "small.yaml").write_text(CONFIG.replace("demos: 6", "demos: 7"))
    refused = subprocess.run(command(run.parent), cwd=run.parent, capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and "augment" in refused.stderr and "--new" in refused.stderr
