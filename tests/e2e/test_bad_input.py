"""Whatever a user gets wrong ends in one clear sentence and a non-zero exit, never in a traceback."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from apprentice.demos import Demo, DemoWriter

LENGTH, WIDTH = 40, 7
STACK = "Apprentice-Stack-Franka"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three demos shaped like those of the cube stack."""
    path = tmp_path_factory.mktemp("good") / "good.hdf5"
    random = np.random.default_rng(0)
    with DemoWriter(path, task=STACK) as writer:
        for _ in range(3):
            poses = np.tile(np.eye(4, dtype=np.float32), (LENGTH, 1, 1))
            signals = np.arange(LENGTH)
            data = {
                "obs/eef_pos": random.normal(size=(LENGTH, 3)).astype(np.float32).cumsum(0) / 50,
                "obs/datagen_info/eef_pose/franka": poses,
                "obs/datagen_info/target_eef_pose/franka": poses,
            }
            data |= {f"obs/datagen_info/object_pose/cube_{k}": poses for k in (1, 2, 3)}
            for name, step in (("grasp_1", 10), ("stack_1", 20), ("grasp_2", 30)):
                data[f"obs/datagen_info/subtask_term_signals/{name}"] = signals >= step
            for k in (1, 2, 3):
                data[f"initial_state/rigid_object/cube_{k}/root_pose"] = np.array([[0.5, 0, 0, 0, 0, 0, 1]], np.float32)
            actions = random.uniform(-0.1, 0.1, size=(LENGTH, WIDTH)).astype(np.float32)
            writer.append(Demo(actions=actions, data=data, success=True, attrs={"operator": "scripted"}))
    return path


def broken(change: Callable[[h5py.File], None]) -> Callable[[Path, Path], Path]:
    """A copy of the good file with `change` done to it."""

    def make(good: Path, folder: Path) -> Path:
        path = folder / "broken.hdf5"
        shutil.copy(good, path)
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    return make


def nan_action(file: h5py.File) -> None:
    file["data/demo_1/actions"][5, 2] = np.nan


def missing_actions(file: h5py.File) -> None:
    del file["data/demo_1/actions"]


def uneven_lengths(file: h5py.File) -> None:
    del file["data/demo_2/obs/datagen_info/eef_pose/franka"]
    file["data/demo_2/obs/datagen_info/eef_pose/franka"] = np.tile(np.eye(4, dtype=np.float32), (LENGTH - 3, 1, 1))


def narrow_action(file: h5py.File) -> None:
    del file["data/demo_2/actions"]
    file["data/demo_2/actions"] = np.zeros((LENGTH, WIDTH - 1), np.float32)


def legacy_quaternions(file: h5py.File) -> None:
    file.attrs["format_version"] = 0


def no_signals(file: h5py.File) -> None:
    for name in file["data"]:
        del file[f"data/{name}/obs/datagen_info/subtask_term_signals"]


def no_demos(file: h5py.File) -> None:
    for name in list(file["data"]):
        del file[f"data/{name}"]


def truncated(good: Path, folder: Path) -> Path:
    path = folder / "truncated.hdf5"
    path.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    return path


def text(content: str, name: str = "text.hdf5") -> Callable[[Path, Path], Path]:
    def make(good: Path, folder: Path) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return make


FILES = {
    "missing file": (lambda good, folder: folder / "nowhere.hdf5", "nowhere.hdf5"),
    "not HDF5": (text("hello"), "HDF5"),
    "truncated file": (truncated, "HDF5"),
    "NaN action": (broken(nan_action), "actions"),
    "missing actions": (broken(missing_actions), "actions"),
    "lengths that differ": (broken(uneven_lengths), "eef_pose"),
    "action width that changes": (broken(narrow_action), "actions"),
    "legacy quaternions": (broken(legacy_quaternions), "quaternion"),
    "no demos": (broken(no_demos), "demo"),
}


@pytest.mark.parametrize("command", ["augment", "train"])
@pytest.mark.parametrize("kind", FILES)
def test_a_bad_demo_file_is_refused_before_work_begins(kind: str, command: str, good: Path, tmp_path: Path) -> None:
    make, word = FILES[kind]
    assert word in refused([command, str(make(good, tmp_path)), "--output", str(tmp_path / "out")])


def test_demos_without_subtask_signals_are_sent_to_annotate(good: Path, tmp_path: Path) -> None:
    file = broken(no_signals)(good, tmp_path)
    assert "annotate" in refused(["augment", str(file), "--output", str(tmp_path / "out.hdf5")])


COMMANDS = {
    "unknown command": (["augmnt"], "augment"),
    "unknown option": (["train", "FILE", "--output", "OUT", "--learning-speed", "3"], "--learning-speed"),
    "value of the wrong kind": (["train", "FILE", "--output", "OUT", "--steps", "many"], "steps"),
    "number out of range": (["augment", "FILE", "--output", "OUT", "--demos", "0"], "demos"),
    "unknown algorithm": (["train", "FILE", "--output", "OUT", "--algo", "magic"], "magic"),
    "unknown task": (["record", "Isaac-Stack-Cubes-Franka", "--output", "OUT"], "Franka"),
    "task without the Mimic interface": (
        ["augment", "FILE", "--output", "OUT", "--task", "Isaac-Reach-Franka"],
        "Mimic",
    ),
    "unknown variant": (["augment", "FILE", "--output", "OUT", "--variant", "d9"], "d9"),
    "unknown backend": (["augment", "FILE", "--output", "OUT", "--backend", "bullet"], "bullet"),
    "backend that is not installed": (["augment", "FILE", "--output", "OUT", "--backend", "isaacsim"], "Isaac Sim"),
    "no policy": (["evaluate", "nowhere", "--output", "OUT", "--task", STACK], "policy"),
    "no evaluation": (["compare", "nowhere", "FILE"], "evaluat"),
    "no evaluation to explain": (["failures", "nowhere"], "evaluat"),
    "unknown key in a configuration": (["run", "CONFIG", "--output", "OUT"], "demoes"),
    "no configuration": (["run", "nowhere.yaml"], "nowhere.yaml"),
    "folder that can't be written": (["train", "FILE", "--output", "/sys/kernel/policy"], "/sys/kernel"),
    "no run to report on": (["report", "nowhere"], "nowhere"),
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_bad_command_line_is_refused(kind: str, good: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("record:\n  demoes: 3\n")
    arguments, word = COMMANDS[kind]
    places = {"FILE": str(good), "OUT": str(tmp_path / "out.hdf5"), "CONFIG": str(config)}
    assert word in refused([places.get(argument, argument) for argument in arguments], cwd=tmp_path)


def test_an_existing_run_with_other_options_is_refused_and_left_alone(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "policy"
    first = apprentice(["train", str(good), "--output", str(out), "--algo", "bc", "--steps", "2"])
    assert first.returncode == 0, first.stderr
    before = (out / "policy.pth").read_bytes()
    assert "seed" in refused(["train", str(good), "--output", str(out), "--algo", "bc", "--steps", "2", "--seed", "9"])
    assert (out / "policy.pth").read_bytes() == before


def test_a_full_disk_is_reported_as_such(good: Path, tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    result = apprentice(
        ["train", str(good), "--output", str(tmp_path / "policy"), "--steps", "2"], preexec_fn=small_files
    )
    assert result.returncode == 1
    assert one_sentence(result.stderr)


def apprentice(arguments: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "apprentice", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
        timeout=240,
        check=False,
        **options,  # type: ignore[arg-type]
    )


def refused(arguments: list[str], cwd: Path | None = None) -> str:
    result = apprentice(arguments, cwd=cwd)
    assert result.returncode in (1, 2), f"exit {result.returncode}\n{result.stdout}\n{result.stderr}"
    assert "Traceback" not in result.stdout + result.stderr, result.stderr
    if result.returncode == 1:
        assert one_sentence(result.stderr), result.stderr
    return result.stdout + result.stderr


def one_sentence(stderr: str) -> bool:
    lines = [line for line in stderr.strip().splitlines() if line]
    return len(lines) == 1 and lines[0].startswith("error: ") and "Traceback" not in stderr
