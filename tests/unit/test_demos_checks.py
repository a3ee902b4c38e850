"""`check` finds what is planted in a file, and nothing in a sound one."""

import h5py
import numpy as np
import pytest
from demo_examples import TASK, make_demo

from apprentice.demos import Certificate, DemoWriter, check_file

COUNT = 8


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.hdf5"
    with DemoWriter(path, task=TASK) as writer:
        for index in range(COUNT):
            writer.append(make_demo(index))
    return path


def change(path, key, function, demo="demo_3"):
    with h5py.File(path, "r+") as file:
        values = file[f"data/{demo}/{key}"][()]
        function(values)
        file[f"data/{demo}/{key}"][...] = values


def findings(path, *severities):
    return [
        finding for finding in check_file(path).findings if finding.severity in (severities or ("error", "warning"))
    ]


def test_a_sound_file_has_no_findings_but_missing_certificates(path):
    report = check_file(path)
    assert (report.task, report.demos, report.steps, report.successes) == (TASK, COUNT, COUNT * 40, COUNT)
    assert report.ok
    assert [finding.key for finding in report.findings] == ["certificate"]
    assert "8 of 8 demos have no replay certificate" in report.findings[0].message


def test_certified_demos_have_no_findings_at_all(tmp_path):
    certificate = Certificate(backend="native", bit_exact=True, final_state_error=0.0, success=True)
    with DemoWriter(tmp_path / "a.hdf5", task=TASK) as writer:
        writer.append(make_demo(0, **certificate.attrs()))
    assert check_file(tmp_path / "a.hdf5").findings == []


@pytest.mark.parametrize("size", [0.15, 0.5])
@pytest.mark.parametrize("step", [0, 1, 17, 38, 39])
@pytest.mark.parametrize("key", ["obs/eef_pos", "states/rigid_object/cube/root_pose"])
def test_one_wrong_frame_is_a_jump(path, key, step, size):
    def glitch(values):
        values[step, 0] += size

    change(path, key, glitch)
    found = findings(path)
    assert [(finding.severity, finding.demo, finding.key) for finding in found] == [("warning", "demo_3", key)]
    assert "found a jump of 0." in found[0].message


def test_a_teleport_is_a_jump_and_a_quaternion_that_changes_sign_is_none(path):
    def teleport(values):
        values[20:, :3, 3] += 0.2

    def flip(values):
        values[20:, 3:] *= -1

    change(path, "states/rigid_object/cube/root_pose", flip)
    change(path, "obs/datagen_info/object_pose/cube", teleport)
    found = findings(path)
    assert [finding.key for finding in found] == ["obs/datagen_info/object_pose/cube"]
    assert "from step 19 to 20" in found[0].message


def test_a_fast_smooth_motion_is_no_jump(path):
    # a cube that is dropped from half a metre in one demo of eight, at 20 Hz
    def drop(values):
        time = np.arange(40) / 20
        values[:, 2] = np.maximum(0.5 - 0.5 * 9.81 * time**2, 0)

    change(path, "states/rigid_object/cube/root_pose", drop)
    assert findings(path) == []


def test_a_signal_that_stands_still_while_it_moves_elsewhere_is_frozen(path):
    def freeze(values):
        values[:] = values[0]

    change(path, "states/rigid_object/cube/root_pose", freeze)
    found = findings(path)
    assert [(finding.demo, finding.key) for finding in found] == [("demo_3", "states/rigid_object/cube/root_pose")]
    assert "as it does in 7 of 8 demos, found it constant" in found[0].message


def test_a_camera_that_never_changes_is_frozen_even_in_every_demo(tmp_path):
    with DemoWriter(tmp_path / "a.hdf5", task=TASK) as writer:
        for index in range(2):
            demo = make_demo(index)
            demo.data["obs/table_cam"] = np.full((40, 4, 4, 3), 7, np.uint8)
            demo.data["obs/fixture_pos"] = np.ones((40, 3), np.float32)  # what never moves anywhere may stand still
            writer.append(demo)
    assert {finding.key for finding in findings(tmp_path / "a.hdf5")} == {"obs/table_cam"}


def replace(key, value):
    def plant(file):
        del file[key]
        file[key] = value

    return plant


def remove(key):
    return lambda file: file.pop(key)


def attribute(item, name, value):
    return lambda file: file[item].attrs.modify(name, value)


def no_attribute(item, name):
    return lambda file: file[item].attrs.pop(name)


def nan(file):
    file["data/demo_2/obs/eef_pos"][4, 0] = np.nan


JOINTS = "obs/joint_pos"
PLANTED = {
    "NaN": (nan, "error", "demo_2", "obs/eef_pos", "found nan at step 4"),
    "length": (replace(f"data/demo_2/{JOINTS}", np.ones((39, 7))), "error", "demo_2", JOINTS, "expected 40 rows"),
    "shape": (replace(f"data/demo_2/{JOINTS}", np.ones((40, 6))), "error", "demo_2", JOINTS, "found (6,)"),
    "missing array": (remove(f"data/demo_2/{JOINTS}"), "warning", "demo_2", JOINTS, "as in 7 demos, found none"),
    "missing actions": (remove("data/demo_2/actions"), "error", "demo_2", "actions", "found no such dataset"),
    "samples": (attribute("data/demo_2", "num_samples", 7), "error", "demo_2", "num_samples", "expected 40"),
    "no success flag": (no_attribute("data/demo_2", "success"), "warning", "demo_2", "success", "found none"),
    "failure": (attribute("data/demo_2", "success", False), "warning", "demo_2", "success", "found one that failed"),
    "total": (attribute("data", "total", 3), "warning", "", "total", "expected 320, the steps of all demos, found 3"),
    "no task": (no_attribute("data", "env_args"), "warning", "", "env_args", "names the task"),
    "other task": (attribute("data", "env_args", '{"env_name": "B"}'), "error", "", "env_args", "found B"),
    "mask of no demo": (replace("mask/train", np.array(["demo_99"], "S")), "error", "", "mask/train", "found demo_99"),
    "overlap": (replace("mask/valid", np.array(["demo_0"], "S")), "error", "", "mask/valid", "found demo_0"),
    "unused": (replace("mask/train", np.array(["demo_0"], "S")), "warning", "", "mask", "in neither"),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_found(path, kind):
    plant, severity, demo, key, message = PLANTED[kind]
    with h5py.File(path, "r+") as file:
        plant(file)
    place = severity, demo, key
    found = [finding.message for finding in findings(path) if (finding.severity, finding.demo, finding.key) == place]
    assert any(message in text for text in found), findings(path)


def test_the_same_demo_twice_is_found(path):
    with DemoWriter(path, task=TASK, resume=True) as writer:
        writer.append(make_demo(2))
    found = findings(path)
    assert [(finding.demo, finding.key) for finding in found] == [("demo_8", "actions")]
    assert "found those of demo_2" in found[0].message


def test_a_file_that_cannot_be_opened_is_a_finding_not_an_exception(path):
    path.write_text("hello")
    report = check_file(path)
    assert not report.ok
    assert "expected a complete HDF5 file" in report.findings[0].message


def test_damaged_data_is_a_finding_and_the_other_demos_are_still_checked(path):
    with h5py.File(path, "r+") as file:
        image = np.random.default_rng(0).integers(0, 255, (40, 16, 16, 3)).astype(np.uint8)
        dataset = file["data/demo_2"].create_dataset("obs/cam", data=image, chunks=(1, 16, 16, 3), compression="gzip")
        chunk = dataset.id.get_chunk_info(5)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + 40] = b"\xff" * 40
    path.write_bytes(content)
    with h5py.File(path, "r+") as file:
        file["data/demo_5/obs/eef_pos"][0, 0] = np.inf
    found = {(finding.severity, finding.demo) for finding in findings(path, "error")}
    assert found == {("error", "demo_2"), ("error", "demo_5")}


def test_demos_that_are_not_folded_in_yet_are_checked_too(tmp_path):
    path = tmp_path / "a.hdf5"
    writer = DemoWriter(path, task=TASK)
    for index in range(12):
        writer.append(make_demo(index))
    report = check_file(path)
    assert report.demos == 12
    assert report.ok
    assert report.count("warning") == 0
    assert any("not yet in the file itself" in finding.message for finding in report.findings)
    writer.close()
