"""Bad input ends in one sentence that names the file, the demo and the array, and says what was expected and found."""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from demo_examples import TASK, make_demo

from apprentice.demos import DemoFile, DemoWriter, merge, recover, set_demo_attrs, write_annotations
from apprentice.errors import UserError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.hdf5"
    with DemoWriter(path, task=TASK) as writer:
        for index in range(3):
            writer.append(make_demo(index))
    return path


def read_all(path):
    with DemoFile(path) as file:
        for name in file.names:
            file.read(name)


def replace(demo, key, value):
    del demo[key]
    demo[key] = value


def nan_at(demo, key, step):
    values = demo[key][()]
    values[step] = np.nan
    replace(demo, key, values)


BROKEN = {
    "no data group": (lambda f: f.move("data", "episodes"), r"a\.hdf5, data: expected a group .* found episodes"),
    "missing actions": (
        lambda f: f["data/demo_1"].pop("actions"),
        r"a\.hdf5, demo_1, actions: expected this array, found only",
    ),
    "empty demo": (
        lambda f: replace(f["data/demo_1"], "actions", np.zeros((0, 7), np.float32)),
        r"demo_1, actions: .*at least one of each, found \(0, 7\)",
    ),
    "flat actions": (
        lambda f: replace(f["data/demo_1"], "actions", np.zeros(40, np.float32)),
        r"demo_1, actions: expected shape \(steps, action width\).* found \(40,\)",
    ),
    "other action width": (
        lambda f: replace(f["data/demo_2"], "actions", np.zeros((40, 6), np.float32)),
        r"demo_2, actions: expected 7 columns as in demo_0, found 6",
    ),
    "other number of steps": (
        lambda f: f["data/demo_1"].attrs.modify("num_samples", 39),
        r"demo_1, actions: expected 39 steps as its num_samples says, found 40",
    ),
    "short observation": (
        lambda f: replace(f["data/demo_1"], "obs/eef_pos", np.zeros((39, 3), np.float32)),
        r"demo_1, obs/eef_pos: expected 40 rows, as in actions, found 39",
    ),
    "long initial state": (
        lambda f: replace(f["data/demo_1"], "initial_state/rigid_object/cube/root_pose", np.zeros((2, 7))),
        r"demo_1, initial_state/rigid_object/cube/root_pose: expected 1 rows, as an initial state has, found 2",
    ),
    "NaN action": (lambda f: nan_at(f["data/demo_1"], "actions", 5), r"demo_1, actions: .*found nan at step 5 \(7 bad"),
    "NaN observation": (lambda f: nan_at(f["data/demo_2"], "obs/eef_pos", 9), r"demo_2, obs/eef_pos: .*nan at step 9"),
    "legacy quaternions": (
        lambda f: f.attrs.pop("format_version"),
        r"expected format_version 1.* xyzw.*convert_legacy",
    ),
    "newer format": (
        lambda f: f.attrs.modify("format_version", 2),
        r"expected format_version 1, found the newer 2; update",
    ),
    "broken description": (
        lambda f: f["data"].attrs.modify("apprentice", "{"),
        r"data\.attrs.*expected a JSON object, found '\{'",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_refused_in_one_sentence(path, kind):
    breaks, message = BROKEN[kind]
    with h5py.File(path, "r+") as file:
        breaks(file)

    def use():
        read_all(path)
        with DemoFile(path) as file:
            file.task  # noqa: B018

    with pytest.raises(UserError, match=message) as caught:
        use()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda path: path.write_text("hello"), "expected a complete HDF5 file, found something else"),
        (lambda path: path.write_bytes(b""), "expected a complete HDF5 file, found something else"),
        (
            lambda path: os.truncate(path, 20_000),
            "found one that is cut short at 20000 bytes; copy or download it again",
        ),
        (lambda path: path.unlink(), "expected a demo file, found no such file"),
        (lambda path: (path.unlink(), path.mkdir()), "expected a demo file, found a folder"),
    ],
    ids=["text", "empty", "truncated", "missing", "folder"],
)
def test_what_is_no_demo_file_is_refused(path, content, message):
    content(path)
    with pytest.raises(UserError, match=message):
        DemoFile(path)


def test_an_unknown_demo_or_array_is_named_with_what_there_is(path):
    with DemoFile(path) as file:
        with pytest.raises(UserError, match="demo_9: expected one of its demos, demo_0 to demo_2"):
            file.read("demo_9")
        with pytest.raises(UserError, match="demo_9: expected one of its demos"):
            file.length("demo_9")
        with pytest.raises(UserError, match="demo_0, obs/camera: expected this array, found only actions, dones"):
            file.read("demo_0", ["obs/camera"])
        with pytest.raises(UserError, match="demo_0, obs: expected an array, found a group of"):
            file.stack(["obs"])


def test_stacking_names_the_demo_that_does_not_fit(path):
    with h5py.File(path, "r+") as file:
        replace(file["data/demo_1"], "obs/eef_pos", np.zeros((40, 4), np.float32))
        nan_at(file["data/demo_2"], "obs/joint_pos", 3)
    with DemoFile(path) as file:
        with pytest.raises(UserError, match=r"demo_1, obs/eef_pos: expected shape \(40, 3\), found \(40, 4\)"):
            file.stack(["obs/eef_pos"])
        with pytest.raises(UserError, match="demo_2, obs/joint_pos: expected finite numbers, found nan at step 3"):
            file.stack(["obs/joint_pos"])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "obs/eef_pos",
            np.full((40, 3), np.inf),
            "not saved.*obs/eef_pos: expected finite numbers, found inf at step 0",
        ),
        ("obs/eef_pos", np.full((40, 3), 1e300), "obs/eef_pos: expected finite numbers, found inf"),
        ("states/x", np.zeros((39, 3)), "states/x: expected 40 rows, as in actions, found 39"),
        ("obs/x", np.float32(1), "obs/x: expected 40 rows, as in actions, found a single value"),
        ("actions", np.zeros((40, 0)), "actions: expected at least one step and one column"),
        ("actions", np.zeros(3), r"actions: expected shape \(steps, action width\)"),
    ],
)
def test_a_malformed_demo_is_not_saved_and_the_writer_goes_on(path, key, value, message):
    with DemoWriter(path, task=TASK, resume=True) as writer:
        demo = make_demo(9)
        if key == "actions":
            demo.actions = value
        else:
            demo.data[key] = value
        with pytest.raises(UserError, match=message):
            writer.append(demo)
        assert writer.append(make_demo(3)) == "demo_3"
    read_all(path)


@pytest.fixture
def read_only_folder():
    """A folder that may be read but not written, also when the tests run as root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    with DemoWriter(folder / "a.hdf5", task=TASK) as writer:
        writer.append(make_demo())
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_folder_can_be_read_and_not_written(read_only_folder):
    path = read_only_folder / "a.hdf5"
    read_all(path)
    for write in (
        lambda: DemoWriter(path, task=TASK, resume=True),
        lambda: DemoWriter(read_only_folder / "b.hdf5", task=TASK),
        lambda: DemoWriter(read_only_folder / "new" / "b.hdf5", task=TASK),
        lambda: recover(path),
        lambda: set_demo_attrs(path, {"demo_0": {"seed": 1}}),
        lambda: merge([path], read_only_folder / "c.hdf5"),
    ):
        with pytest.raises(UserError, match="cannot be written, because its folder may not be written"):
            write()


def test_annotations_that_do_not_fit_change_nothing(path):
    before = path.read_bytes()
    signal = "obs/datagen_info/subtask_term_signals/grasp"
    for annotation, message in (
        ({"demo_9": {signal: np.ones(40, bool)}}, "demo_9: expected one of its demos, demo_0 to demo_2"),
        ({"demo_0": {signal: np.ones(39, bool)}}, "demo_0, obs/datagen.*expected 40 rows"),
        ({"demo_0": {"obs/eef_pos": np.ones((40, 3))}}, "expected a new array, found one that was recorded"),
        ({"demo_0": {"actions": np.ones((40, 7))}}, "expected a path below obs/"),
        ({"demo_0": {"obs/x": np.full(40, np.nan)}}, "expected finite numbers"),
    ):
        with pytest.raises(UserError, match=message):
            write_annotations(path, {"demo_1": {signal: np.zeros(40, bool)}} | annotation)
        assert path.read_bytes() == before


def test_files_that_do_not_belong_together_are_not_merged(path, tmp_path):
    other, output = tmp_path / "other.hdf5", tmp_path / "out.hdf5"
    demo = make_demo()
    demo.data["obs/extra"] = np.ones((40, 2), np.float32)
    with DemoWriter(other, task=TASK) as writer:
        writer.append(demo)
    with pytest.raises(UserError, match="it lacks nothing and adds obs/extra"):
        merge([path, other], output)
    with h5py.File(other, "r+") as file:
        file["data"].attrs["apprentice"] = json.dumps({"task": "Other"})
    with pytest.raises(UserError, match=f"expected task {TASK} as in a.hdf5, found Other"):
        merge([path, other], output)
    with pytest.raises(UserError, match="expected a new output file, found an existing one"):
        merge([path], other)
    with pytest.raises(UserError, match="found no file at all"):
        merge([], output)
    assert not re.search("out", " ".join(entry.name for entry in tmp_path.iterdir()))
