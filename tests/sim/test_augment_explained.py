"""What users are told about the real task: source demos that cannot work, and a page and videos of a run."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from recorded import record

from apprentice.augment.cfg import AugmentCfg, NoiseCfg
from apprentice.augment.explain.failures import failures_path
from apprentice.augment.explain.probe import PROBE_TRIES
from apprentice.augment.generator import Generator
from apprentice.augment.prepare import make_planners
from apprentice.augment.run import Run
from apprentice.demos import Demo, DemoFile, DemoWriter
from apprentice.errors import UserError
from apprentice.report import build_report
from apprentice.tasks.session import open_session

TASK, NUM_ENVS = "Apprentice-Stack-Franka", 16
CFG = AugmentCfg(demos=8, seed=3, task=TASK, num_envs=NUM_ENVS, threads=1, noise=NoiseCfg(kind="task"), retry=None)


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, num_envs=NUM_ENVS) as opened:
        yield opened


@pytest.fixture(scope="module")
def source(session, tmp_path_factory) -> Path:
    return record(session, tmp_path_factory.mktemp("source") / "source.hdf5", 4)


def spoiled(source: Path, path: Path, spoil) -> Path:
    """A copy of the source demos in which something is wrong."""
    with DemoFile(source) as file, DemoWriter(path, task=TASK, meta=file.meta) as writer:
        for name in file.names:
            demo = file.read(name)
            data = {key: value.copy() for key, value in demo.data.items()}
            actions = demo.actions.copy()
            spoil(actions, data)
            writer.append(Demo(actions=actions, data=data, success=True, attrs=demo.attrs))
    return path


def told(session, source: Path, output: Path) -> str:
    cfg = replace(CFG, demos=200)
    generator = Generator(session, make_planners(session, source, cfg), cfg)
    run = Run(generator, source=source, output=output, cfg=cfg, identity={"source_sha256": ""})
    with pytest.raises(UserError) as caught:
        run.generate()
    stats = json.loads(output.with_name(output.name + ".stats.json").read_text())
    assert stats["attempts"] == PROBE_TRIES
    return str(caught.value)


def test_a_gripper_that_never_closes_is_told_after_64_tries(session, source, tmp_path):
    def open_all_the_time(actions, data):
        actions[:, -1] = 1.0

    words = told(session, spoiled(source, tmp_path / "open.hdf5", open_all_the_time), tmp_path / "none.hdf5")
    assert "grasp_1 failed in 64 of 64 tries: the gripper never moves there in the source demos, and cube_2" in words


def test_cubes_out_of_reach_are_told_after_64_tries_with_the_distance(session, source, tmp_path):
    def grasp_beyond_the_cube(actions, data):
        # as if the cube had been grasped from so far beside it that no turn of it brings that into reach
        for key in ("target_eef_pose/franka", "eef_pose/franka"):
            data[f"obs/datagen_info/{key}"][:, 0, 3] += 1.7

    words = told(session, spoiled(source, tmp_path / "far.hdf5", grasp_beyond_the_cube), tmp_path / "none.hdf5")
    assert re.search(r"grasp_1 failed in 64 of 64 tries: cube_2 is \d+ cm outside reach", words)


def test_the_page_of_a_run_has_its_numbers_and_films_of_its_failures(session, source, tmp_path):
    output = tmp_path / "generated.hdf5"
    generator = Generator(session, make_planners(session, source, CFG), CFG)
    run = Run(generator, source=source, output=output, cfg=CFG, identity={"source_sha256": ""})
    stats = run.generate().stats
    failures = sum(row["failures"] for row in stats["subtasks"])
    assert failures == sum(one["tries"] for row in stats["subtasks"] for one in row["causes"]) > 0
    command = ["render", str(failures_path(output)), "--output", str(tmp_path / "generated.failures"), "--videos"]
    subprocess.run([sys.executable, "-m", "apprentice", *command], check=True, timeout=300, env=dict(os.environ))
    page = build_report(output).read_text(encoding="utf-8")
    with DemoFile(failures_path(output)) as file:
        assert page.count("data:video/mp4;base64,") == len(file)
    assert f"{stats['successes']} of {stats['attempts']} attempts" in page
    for row in stats["subtasks"]:
        assert f">{row['failures']} of {row['tries']} tries failed" in page
        for one in row["causes"]:
            assert one["means"] in page
