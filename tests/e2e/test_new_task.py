"""The tutorial that `new-task` writes, step by step: its task is checked, recorded, augmented and learned."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from apprentice.demos import DemoFile

ROOT = Path(__file__).resolve().parents[2]
TASK = "ServeBlock-Franka"


class Project:
    """A new task, installed into a folder of its own so that the environment of the tests stays as it is."""

    def __init__(self, folder: Path) -> None:
        self.folder, site = folder, folder / "site"
        self._environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
        self.run("new-task", "serve_block", "--output", "serve_block")
        uv = os.environ.get("UV") or shutil.which("uv")
        assert uv, "expected uv on PATH or in UV, as `make test` sets it"
        install = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--no-deps", "--no-build-isolation"]
        subprocess.run([*install, "--target", str(site), str(folder / "serve_block")], check=True, cwd=ROOT)

    def run(self, *arguments: str) -> str:
        """Run a command in the project; it must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "apprentice", *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


def test_nothing_is_wrong_with_it_as_it_is_written(project: Project) -> None:
    project.run("check-task", TASK, "--episodes", "6", "--num-envs", "6", "--json", "checks.json")
    checks = {check["what"]: check for check in json.loads((project.folder / "checks.json").read_text())}
    assert all(check["status"] != "problem" for check in checks.values())
    assert {"seeds", "action maps, there and back", "reach", "determinism", "scripted operator"} <= checks.keys()
    assert checks["scripted operator"]["found"].startswith("6 of 6")


def test_it_is_recorded_augmented_learned_and_evaluated(project: Project) -> None:
    project.run("record", TASK, "--device", "scripted", "--demos", "4", "--output", "source.hdf5")
    project.run("augment", "source.hdf5", "--demos", "80", "--num-envs", "40", "--output", "demos.hdf5")
    with DemoFile(project.folder / "demos.hdf5") as demos:
        assert len(demos) == 80 and demos.meta["task"] == TASK
    project.run("train", "demos.hdf5", "--steps", "600", "--output", "policy")
    project.run("evaluate", "policy", "--rollouts", "20", "--videos", "0", "--output", "evaluated")
    evaluation = json.loads((project.folder / "evaluated/evaluation.json").read_text())
    assert evaluation["task"] == TASK and evaluation["successes"] >= 10, evaluation["success_rate"]
