"""What is saved comes back, in order, and nothing is ever overwritten."""

import json

import h5py
import numpy as np
import pytest
from demo_examples import TASK, assert_same, make_demo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from apprentice.demos import Demo, DemoFile, DemoWriter
from apprentice.demos.masks import extended, for_validation
from apprentice.errors import UserError

relaxed = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy; what is tested does not depend on how fast it is."""

texts = st.text(st.characters(codec="utf-8"))
jsons = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def test_demos_come_back_as_they_were_and_in_numeric_order(tmp_path):
    demos = [make_demo(index, length=20 + index) for index in range(12)]
    with DemoWriter(tmp_path / "a.hdf5", task=TASK, meta={"control_hz": 20.0}) as writer:
        names = [writer.append(demo) for demo in demos]
        assert writer.num_demos == 12
    with DemoFile(tmp_path / "a.hdf5") as file:
        assert file.names == names == [f"demo_{index}" for index in range(12)]
        assert (file.task, file.format_version, len(file)) == (TASK, 1, 12)
        assert file.meta == {"task": TASK, "control_hz": 20.0}
        assert file.env_args == {"env_name": TASK, "type": 2, "env_kwargs": {}}
        for name, demo in zip(names, demos, strict=True):
            assert file.length(name) == demo.length
            assert_same(file.read(name), demo)


@relaxed
@given(attrs=st.dictionaries(st.sampled_from(["seed", "operator", "versions", "notes"]), jsons))
def test_any_json_value_survives_as_an_attribute(tmp_path_factory, attrs):
    path = tmp_path_factory.mktemp("attrs") / "a.hdf5"
    demo = make_demo()
    demo.attrs = attrs
    with DemoWriter(path, task=TASK) as writer:
        writer.append(demo)
    with DemoFile(path) as file:
        found = file.attrs("demo_0")
    assert found.pop("demo_id")
    assert found == attrs


@relaxed
@given(
    value=hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.uint8, np.int64, np.bool_]),
        hnp.array_shapes(min_dims=1, max_dims=3, max_side=4).map(lambda shape: (5, *shape)),
        elements={"allow_nan": False, "allow_infinity": False, "min_value": 0, "max_value": 1},
    )
)
def test_arrays_keep_their_values_floats_in_single_precision(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("arrays") / "a.hdf5"
    demo = Demo(actions=np.ones((5, 2), np.float32), data={"obs/x": value}, success=True)
    with DemoWriter(path, task=TASK) as writer:
        writer.append(demo)
    with DemoFile(path) as file:
        found = file.read("demo_0").data["obs/x"]
    expected = value.astype(np.float32) if value.dtype.kind == "f" else value
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_training_arrays_are_stacked_in_the_order_asked_for(tmp_path):
    demos = [make_demo(index, length=10 + index) for index in range(3)]
    with DemoWriter(tmp_path / "a.hdf5", task=TASK) as writer:
        for demo in demos:
            writer.append(demo)
    with DemoFile(tmp_path / "a.hdf5") as file:
        arrays, lengths = file.stack(["actions", "obs/eef_pos"], ["demo_2", "demo_0"])
    assert lengths.tolist() == [12, 10]
    np.testing.assert_array_equal(arrays["actions"], np.concatenate([demos[2].actions, demos[0].actions]))
    np.testing.assert_array_equal(arrays["obs/eef_pos"][12:], demos[0].data["obs/eef_pos"])


def test_only_what_is_asked_for_is_read_and_a_group_stands_for_all_below_it(tmp_path):
    with DemoWriter(tmp_path / "a.hdf5", task=TASK) as writer:
        writer.append(make_demo())
    with DemoFile(tmp_path / "a.hdf5") as file:
        assert set(file.read("demo_0", ["obs/eef_pos"]).data) == {"obs/eef_pos"}
        assert set(file.read("demo_0", ["obs/datagen_info/object_pose"]).data) == {"obs/datagen_info/object_pose/cube"}


def test_failures_are_kept_apart_with_numbers_of_their_own(tmp_path):
    path = tmp_path / "a.hdf5"
    with DemoWriter(path, task=TASK) as writer:
        writer.append(make_demo(0))
        assert writer.append(make_demo(7, success=False), group="failed") == "demo_0"
        assert writer.append(make_demo(1)) == "demo_1"
        assert writer.num_demos == 2
    with DemoFile(path) as file, DemoFile(path, group="failed") as failed:
        assert file.names == ["demo_0", "demo_1"]
        assert_same(failed.read("demo_0"), make_demo(7, success=False))


def test_an_existing_file_is_refused_unless_resumed_and_resuming_goes_on_counting(tmp_path):
    path = tmp_path / "new folder" / "a.hdf5"
    for index in range(2):
        with DemoWriter(path, task=TASK, meta={"backend": "native"}, resume=index > 0) as writer:
            assert writer.append(make_demo(index)) == f"demo_{index}"
    with pytest.raises(UserError, match="never overwritten"):
        DemoWriter(path, task=TASK)
    with pytest.raises(UserError, match=r"expected demos of task Other.*found task Example-Carry"):
        DemoWriter(path, task="Other", resume=True)
    with DemoFile(path) as file:
        assert len(file) == 2
        assert file.meta["backend"] == "native"


def test_a_file_of_another_program_can_be_continued(tmp_path):
    path = tmp_path / "foreign.hdf5"
    with h5py.File(path, "w") as file:
        file.attrs["format_version"] = 1
        data = file.create_group("data")
        data.attrs.update({"total": 5, "env_args": json.dumps({"env_name": TASK, "type": 2})})
        demo = data.create_group("demo_0")
        demo.attrs.update({"num_samples": 5, "success": True})
        demo["actions"] = np.ones((5, 7), np.float32)
    with DemoWriter(path, task=TASK, resume=True) as writer:
        assert writer.append(make_demo(1)) == "demo_1"
    with DemoFile(path) as file, h5py.File(path) as raw:
        assert file.names == ["demo_0", "demo_1"]
        assert sorted(file.masks["train"] + file.masks["valid"]) == file.names
        assert raw["data"].attrs["total"] == 5 + file.length("demo_1")


def test_nothing_but_the_file_is_left_when_a_writer_is_closed(tmp_path):
    with DemoWriter(tmp_path / "a.hdf5", task=TASK) as writer:
        for index in range(5):
            writer.append(make_demo(index))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.hdf5"]
    with pytest.raises(ValueError, match="open writer"):
        writer.append(make_demo())


def test_other_programs_find_totals_rewards_and_numeric_order(tmp_path):
    with DemoWriter(tmp_path / "a.hdf5", task=TASK) as writer:
        for index in range(11):
            writer.append(make_demo(index, success=index != 3))
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert list(file["data"]) == [f"demo_{index}" for index in range(11)]
        assert file["data"].attrs["total"] == 11 * 40
        assert file["data/demo_0/rewards"][()].tolist() == [0] * 39 + [1]
        assert file["data/demo_3/rewards"][()].tolist() == [0] * 40
        assert file["data/demo_3/dones"][()].tolist() == [0] * 39 + [1]


@relaxed
@given(count=st.integers(1, 60), later=st.integers(0, 60), failed=st.sets(st.integers(0, 120)))
def test_the_split_is_complete_disjoint_and_stable_while_a_file_grows(count, later, failed):
    success = {f"demo_{index}": index not in failed for index in range(count + later)}
    early = extended({}, dict(list(success.items())[:count]))
    masks = extended(early, dict(list(success.items())[count:]))
    assert masks == extended({}, success)
    assert set(masks["train"]).isdisjoint(masks["valid"])
    assert (
        {*masks["train"], *masks["valid"]} == set(masks["success"]) == {key for key, value in success.items() if value}
    )
    assert set(early["valid"]) <= set(masks["valid"])


def test_one_demo_of_each_ten_is_for_validation():
    members = [index for index in range(1000) if for_validation(f"demo_{index}")]
    assert [member // 10 for member in members] == list(range(100))
    assert len({member % 10 for member in members}) > 5


def test_a_demo_that_is_taken_back_is_kept_apart_and_its_number_is_free_again(tmp_path):
    path = tmp_path / "demos.hdf5"
    with DemoWriter(path, task=TASK) as writer:
        for index in range(3):
            writer.append(make_demo(index))
        assert writer.retract("demo_2") == "demo_0"
        assert writer.num_demos == 2
        assert writer.append(make_demo(7)) == "demo_2"
        assert writer.retract("demo_2") == "demo_1"
        with pytest.raises(UserError, match="demo_9"):
            writer.retract("demo_9")
        assert writer.append(make_demo(8)) == "demo_2"
    with DemoFile(path) as file:
        assert file.names == ["demo_0", "demo_1", "demo_2"]
        assert_same(file.read("demo_2"), make_demo(8))
    with DemoFile(path, group="undone") as file:
        assert_same(file.read("demo_0"), make_demo(2))
        assert_same(file.read("demo_1"), make_demo(7))
    with h5py.File(path) as file:
        assert file["data"].attrs["total"] == 3 * 40
        named = {name.decode() for mask in ("train", "valid") for name in file["mask"][mask][()]}
        assert named == {"demo_0", "demo_1", "demo_2"}
