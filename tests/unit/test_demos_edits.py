"""Annotating, certifying and merging change what they say they change, and lose nothing."""

import importlib.metadata
import json

import h5py
import numpy as np
import pytest
from demo_examples import TASK, assert_same, make_demo

from apprentice.demos import (
    Certificate,
    DemoFile,
    DemoWriter,
    check_file,
    demo_attrs,
    merge,
    set_demo_attrs,
    write_annotations,
)

SIGNAL = "obs/datagen_info/subtask_term_signals/grasp"
KEPT = "obs/datagen_info_previous/{}/subtask_term_signals/grasp"


def write(path, indices, **meta):
    with DemoWriter(path, task=TASK, meta=meta) as writer:
        for index in indices:
            writer.append(make_demo(index, length=30 + index))
    return path


def signal_from(step, length=30):
    return np.arange(length) >= step


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "a.hdf5", range(3))


def test_annotating_again_keeps_every_earlier_annotation(path):
    first = make_demo(0, length=30).data[SIGNAL]
    for step in (5, 9):
        write_annotations(path, {"demo_0": {SIGNAL: signal_from(step)}})
    with DemoFile(path) as file:
        data = file.read("demo_0").data
        assert_same(file.read("demo_1"), make_demo(1, length=31))
    np.testing.assert_array_equal(data[SIGNAL], signal_from(9))
    np.testing.assert_array_equal(data[KEPT.format(0)], first)
    np.testing.assert_array_equal(data[KEPT.format(1)], signal_from(5))
    np.testing.assert_array_equal(data["obs/datagen_info/eef_pose/franka"][:, 3, 3], 1)


def test_the_same_annotation_again_changes_nothing(path):
    write_annotations(path, {"demo_0": {SIGNAL: signal_from(5)}})
    with DemoFile(path) as file:
        before = file.keys("demo_0")
    write_annotations(path, {"demo_0": {SIGNAL: signal_from(5)}})
    with DemoFile(path) as file:
        assert file.keys("demo_0") == before


def test_annotating_into_a_new_file_leaves_the_old_one_alone(path, tmp_path):
    before, output = path.read_bytes(), tmp_path / "out" / "b.hdf5"
    write_annotations(path, {"demo_0": {"obs/datagen_info/target_eef_pose/franka": np.ones((30, 4, 4))}}, output=output)
    assert path.read_bytes() == before
    with DemoFile(output) as file:
        assert len(file) == 3
        assert "obs/datagen_info/target_eef_pose/franka" in file.keys("demo_0")
        assert file.read("demo_0").data["obs/datagen_info/target_eef_pose/franka"].dtype == np.float32


def test_a_certificate_is_stored_with_its_demo_and_everything_else_stays(path):
    certificate = Certificate(backend="native", bit_exact=True, final_state_error=0.0, success=True)
    set_demo_attrs(path, {"demo_1": certificate.attrs()})
    with DemoFile(path) as file:
        assert file.attrs("demo_1")["certificate"] == {
            "backend": "native",
            "bit_exact": True,
            "final_state_error": 0.0,
            "success": True,
            "versions": certificate.versions,
        }
        assert "certificate" not in file.attrs("demo_0")
        for index, name in enumerate(file.names):
            assert_same(file.read(name), make_demo(index, length=30 + index))
    with pytest.raises(ValueError, match="num_samples"):
        set_demo_attrs(path, {"demo_1": {"num_samples": 3}})


def test_every_demo_says_where_it_comes_from():
    attrs = demo_attrs(
        task=TASK,
        variant=None,
        backend="native",
        operator="scripted",
        device="scripted",
        seed=3,
        source_demos=["demo_1"],
    )
    assert attrs["versions"]["h5py"] == importlib.metadata.version("h5py")
    assert attrs["created"].endswith("+00:00")
    assert (attrs["seed"], attrs["source_demos"]) == (3, ["demo_1"])
    assert "variant" not in attrs
    assert json.loads(json.dumps(attrs)) == attrs


def test_merging_renumbers_keeps_provenance_and_the_split(tmp_path):
    one = write(tmp_path / "one.hdf5", range(12), backend="native", variant="d0")
    two = write(tmp_path / "two.hdf5", range(12, 25), backend="native", variant="d1")
    assert merge([one, two], tmp_path / "all.hdf5") == 25
    with DemoFile(tmp_path / "all.hdf5") as file, DemoFile(one) as first, DemoFile(two) as second:
        assert file.names == [f"demo_{index}" for index in range(25)]
        assert file.meta == {"task": TASK, "backend": "native"}
        for index, name in enumerate(file.names):
            assert_same(file.read(name), make_demo(index, length=30 + index))
        assert file.attrs("demo_13")["merged_from"] == {"file": "two.hdf5", "demo": "demo_1"}
        sources = [
            *(("one.hdf5", name) for name in first.masks["valid"]),
            *(("two.hdf5", name) for name in second.masks["valid"]),
        ]
        valid = [file.attrs(name)["merged_from"] for name in file.masks["valid"]]
        assert [(source["file"], source["demo"]) for source in valid] == sources
    report = check_file(tmp_path / "all.hdf5")
    assert report.ok
    assert report.count("warning") == 0


def test_files_of_other_programs_are_merged_and_get_a_split(path, tmp_path):
    with h5py.File(path, "r+") as file:
        del file["mask"]
        del file["data"].attrs["apprentice"]
        for name in file["data"]:
            del file[f"data/{name}/rewards"]
    assert merge([path, write(tmp_path / "b.hdf5", range(3, 6))], tmp_path / "all.hdf5") == 6
    with DemoFile(tmp_path / "all.hdf5") as file:
        assert sorted(file.masks["train"] + file.masks["valid"]) == file.names
        assert file.task == TASK
