"""Isaac Lab reads what we write, and we read what Isaac Lab writes. No simulator is started."""

import h5py
import numpy as np
import pytest
import torch
from isaaclab.utils.datasets import EpisodeData, HDF5DatasetFileHandler

from apprentice.demos import EXECUTED, Demo, DemoFile, DemoWriter, check_file, convert_legacy
from apprentice.errors import UserError

TASK = "Isaac-Stack-Cube-Franka-IK-Rel-Mimic-v0"


def make_demo(index, length=30):
    rng = np.random.default_rng(index)
    quats = rng.normal(size=(length, 4)).astype(np.float32)
    quats /= np.linalg.norm(quats, axis=-1, keepdims=True)
    poses = np.concatenate([rng.uniform(-1, 1, (length, 3)).astype(np.float32), quats], axis=1)
    return Demo(
        actions=rng.uniform(-1, 1, (length, 7)).astype(np.float32),
        data={
            "obs/eef_pos": poses[:, :3],
            "obs/eef_quat": poses[:, 3:],
            "obs/datagen_info/subtask_term_signals/grasp_1": np.arange(length) > 12,
            "obs/table_cam": rng.integers(0, 255, (length, 8, 8, 3)).astype(np.uint8),
            "initial_state/rigid_object/cube_1/root_pose": poses[:1],
            "states/rigid_object/cube_1/root_pose": poses,
        },
        success=True,
        attrs={"seed": index},
    )


def flat(data, prefix=""):
    for key, value in data.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


@pytest.fixture
def handler():
    handler = HDF5DatasetFileHandler()
    yield handler
    handler.close()


def test_isaac_labs_handler_loads_every_demo_that_we_wrote(tmp_path, handler):
    path, demos = tmp_path / "ours.hdf5", [make_demo(index) for index in range(12)]
    for demo in demos:
        demo.data[EXECUTED] = demo.actions + np.float32(0.01)
    with DemoWriter(path, task=TASK) as writer:
        for demo in demos:
            writer.append(demo)
    handler.open(str(path))
    assert handler.get_env_name() == TASK
    assert not handler.is_legacy_quaternion_format()
    assert handler.get_num_episodes() == 12
    assert list(handler.get_episode_names()) == [f"demo_{index}" for index in range(12)]
    for name, demo in zip(handler.get_episode_names(), demos, strict=True):
        episode = handler.load_episode(name, "cpu")
        assert episode is not None
        assert (episode.success, episode.seed) == (True, demo.attrs["seed"])
        loaded = dict(flat(episode.data))
        for key, value in (demo.data | {"actions": demo.actions}).items():
            np.testing.assert_array_equal(loaded[key].numpy(), value)
        # what Isaac Lab trains on and replays are the labels
        np.testing.assert_array_equal(episode.get_next_action().numpy(), demo.actions[0])
        state = episode.get_state(3)
        assert state is not None
        np.testing.assert_array_equal(
            state["rigid_object"]["cube_1"]["root_pose"][0].numpy(),
            demo.data["states/rigid_object/cube_1/root_pose"][3],
        )


def write_with_isaac_lab(handler, path, demos):
    handler.create(str(path), env_name=TASK)
    handler.add_env_args({"sim_args": {"dt": 0.01, "decimation": 5}})
    for demo in demos:
        episode = EpisodeData()
        for key, value in (demo.data | {"actions": demo.actions}).items():
            for row in torch.from_numpy(value):
                episode.add(key, row)
        episode.pre_export()
        episode.seed, episode.success = demo.attrs["seed"], demo.success
        handler.write_episode(episode)
    handler.flush()
    handler.close()


def test_we_read_and_continue_what_isaac_labs_handler_wrote(tmp_path, handler):
    path, demos = tmp_path / "theirs.hdf5", [make_demo(index) for index in range(12)]
    write_with_isaac_lab(handler, path, demos)
    with DemoFile(path) as file:
        assert (file.task, file.names) == (TASK, [f"demo_{index}" for index in range(12)])
        assert file.env_args["sim_args"] == {"dt": 0.01, "decimation": 5}
        for name, demo in zip(file.names, demos, strict=True):
            found = file.read(name)
            assert (found.success, found.attrs["seed"]) == (True, demo.attrs["seed"])
            assert found.data.keys() == demo.data.keys()
            np.testing.assert_array_equal(found.actions, demo.actions)
            for key, value in demo.data.items():
                np.testing.assert_array_equal(found.data[key], value)
    assert check_file(path).ok
    with DemoWriter(path, task=TASK, resume=True) as writer:
        assert writer.append(make_demo(12)) == "demo_12"
    handler.open(str(path))
    assert handler.get_num_episodes() == 13
    assert handler.load_episode("demo_12", "cpu") is not None


def test_a_legacy_file_is_refused_and_converts_to_what_isaac_lab_converts_it_to_and_more(tmp_path, handler):
    path, output, demo = tmp_path / "legacy.hdf5", tmp_path / "new.hdf5", make_demo(0)
    quaternion_columns = {"obs/eef_quat": 0, "initial_state/rigid_object/cube_1/root_pose": 3}
    quaternion_columns["states/rigid_object/cube_1/root_pose"] = 3
    legacy = make_demo(0)
    for key, start in quaternion_columns.items():
        legacy.data[key] = legacy.data[key].copy()
        legacy.data[key][:, start:] = np.roll(legacy.data[key][:, start:], 1, axis=-1)
    write_with_isaac_lab(handler, path, [legacy])
    with h5py.File(path, "r+") as file:
        del file.attrs["format_version"]
    with pytest.raises(UserError, match="convert_legacy"):
        DemoFile(path)
    convert_legacy(path, output)
    with DemoFile(output) as file:
        found = file.read("demo_0")
    for key, value in demo.data.items():
        np.testing.assert_array_equal(found.data[key], value, err_msg=key)
    handler.open(str(path))
    theirs = handler.load_episode("demo_0", "cpu")
    assert theirs is not None
    pose = theirs.data["states"]["rigid_object"]["cube_1"]["root_pose"]
    np.testing.assert_array_equal(pose.numpy(), demo.data["states/rigid_object/cube_1/root_pose"])
    with pytest.raises(UserError, match="found format_version 1, which is xyzw already"):
        convert_legacy(output, tmp_path / "again.hdf5")


def test_a_legacy_array_that_could_hide_a_quaternion_is_refused_until_it_is_described(tmp_path, handler):
    path, demo = tmp_path / "legacy.hdf5", make_demo(0)
    demo.data["obs/object"] = np.concatenate(
        [demo.data["obs/eef_pos"], np.roll(demo.data["obs/eef_quat"], 1, axis=-1)], axis=1
    )
    write_with_isaac_lab(handler, path, [demo])
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 0
    with pytest.raises(UserError, match=r"no way to tell for obs/object; pass quaternions=\{'obs/object'"):
        convert_legacy(path, tmp_path / "new.hdf5")
    with pytest.raises(UserError, match="obs/object: expected unit quaternions in columns 1 to 4"):
        convert_legacy(path, tmp_path / "new.hdf5", quaternions={"obs/object": [1]})
    with pytest.raises(UserError, match="found none named obs/thing"):
        convert_legacy(path, tmp_path / "new.hdf5", quaternions={"obs/object": [3], "obs/thing": []})
    assert not (tmp_path / "new.hdf5").exists()
    convert_legacy(path, tmp_path / "new.hdf5", quaternions={"obs/object": [3]})
    with DemoFile(tmp_path / "new.hdf5") as file:
        np.testing.assert_array_equal(file.read("demo_0").data["obs/object"][:, 3:], demo.data["obs/eef_quat"])
