"""`apprentice improve` on the real simulator, small, with a policy that looks through cameras."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from apprentice.demos import DemoFile

TASK = "Apprentice-Stack-Franka"


def apprentice(*arguments: str | Path) -> str:
    """Give a command. Returns what it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "apprentice", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("improve")
    source, demos = folder / "source.hdf5", folder / "demos.hdf5"
    apprentice("record", TASK, "--device", "scripted", "--demos", "3", "--output", source)
    apprentice("annotate", source)
    apprentice("augment", source, "--demos", "8", "--num-envs", "8", "--output", demos)
    apprentice("render", demos, "--output", folder / "images.hdf5", "--size", "32")
    return folder


def test_demos_begin_where_the_policy_went_wrong_and_are_learned_from(folder: Path):
    command = ["improve", folder / "source.hdf5", folder / "images.hdf5", "--output", folder / "out", "--rounds", "1"]
    command += ["--steps", "20", "--demos", "3", "--rollouts", "4", "--num-envs", "4", "--cameras", "table", "wrist"]
    command += ["--no-mishaps"]
    apprentice(*command)
    log = json.loads((folder / "out" / "improve.json").read_text())
    first, second = log["rounds"]
    assert first["success_rate"] == 0.0, "a policy of twenty steps stacks nothing"
    assert second["demos_trained_on"] > first["demos_trained_on"]
    assert 0 <= log["interval_95"][0] <= log["success_rate"] <= log["interval_95"][1] <= 1
    with DemoFile(folder / "out" / "round_1" / "demos.hdf5") as merged, DemoFile(folder / "images.hdf5") as before:
        assert len(merged) == len(before) + 3
        new = merged.read(merged.names[-1])
        assert new.data["obs/table_image"].shape[1:] == (32, 32, 3)
        states = (folder / "out" / "round_0" / "rollouts" / "astray_states.hdf5").exists()
    assert states
    evaluation = json.loads((folder / "out" / "evaluate" / "evaluation.json").read_text())
    assert evaluation["seed"] == 1_000_000 and evaluation["rollouts"] == 4
    # given again, nothing is done again
    before = (folder / "out" / "round_1" / "policy" / "policy.pth").stat().st_mtime_ns
    apprentice(*command)
    assert (folder / "out" / "round_1" / "policy" / "policy.pth").stat().st_mtime_ns == before
