"""`apprentice render`: images in a copy of a demo file, readable by everybody, through interruptions."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripted_grasp import TASK

from apprentice.demos import AddingCopy, Demo, DemoFile, DemoWriter, write_addition
from apprentice.demos.hdf5 import h5py
from apprentice.errors import UserError
from apprentice.record.render import render, states_observed
from apprentice.record.render_cfg import RenderCfg
from apprentice.sim.looks import Looks
from apprentice.sim.looks_cfg import LooksCfg
from apprentice.sim.render import StateRenderer, detail_for
from apprentice.sim.scene_model import scene_model
from apprentice.tasks.session import open_session
from apprentice.tasks.views import choose_views

LENGTHS = (5, 12, 3, 9)
CFG = RenderCfg(size=48)
WAIT_S = 120.0


@pytest.fixture(scope="module")
def session():
    with open_session(TASK) as opened:
        yield opened


@pytest.fixture(scope="module")
def demos(session, tmp_path_factory) -> Path:
    """Demos in which the arm moves, one of them in another group."""
    path = tmp_path_factory.mktemp("demos") / "demos.hdf5"
    with DemoWriter(path, task=TASK, meta={"variant": "d0"}) as writer:
        for seed, length in enumerate(LENGTHS):
            demo = moved(session, seed, length)
            writer.append(demo)
        writer.append(moved(session, 9, 4), "failed")
    return path


def moved(session, seed: int, length: int) -> Demo:
    session.reset(seeds=[seed])
    initial = {f"initial_state/{key}": value.numpy().copy() for key, value in session.state().items()}
    action, rows = session.neutral_actions(), []
    action[:, 2] = -0.05
    for _ in range(length):
        session.step(action)
        rows.append({f"states/{key}": value[0].numpy().copy() for key, value in session.state().items()})
    states = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    actions = np.repeat(action.numpy(), length, axis=0)
    observed = {"obs/eef_pos": np.zeros((length, 3), np.float32)}
    return Demo(actions=actions, data=initial | states | observed, success=True, attrs={"seed": seed})


@pytest.fixture(scope="module")
def rendered(session, demos, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("rendered") / "images.hdf5"
    in_session(session, lambda: render(demos, output, CFG))
    return output


def in_session(session, action):
    """One process has one simulation: let the pass use the one that is open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("apprentice.record.render.open_session", lambda task: nullcontext(session))
        return action()


def test_every_demo_has_the_image_of_what_each_action_was_chosen_from(session, demos, rendered):
    views = choose_views(session, CFG.cameras)
    renderer = StateRenderer(scene_model(session.env, views, detail_for(48)), views, width=48, height=48, samples=0)
    with DemoFile(demos) as source, DemoFile(rendered) as file:
        assert file.names == source.names
        for name, length in zip(file.names, LENGTHS, strict=True):
            demo = file.read(name)
            for camera in CFG.cameras:
                images = demo.data[f"obs/{camera}_image"]
                assert images.shape == (length, 48, 48, 3)
                assert images.dtype == np.uint8
                first, before_last = rows(demo, "initial_state/", 0), rows(demo, "states/", -2)
                np.testing.assert_array_equal(images[0], renderer.render(first)[camera])
                np.testing.assert_array_equal(images[-1], renderer.render(before_last)[camera])
            assert (demo.data["obs/wrist_image"][0] != demo.data["obs/wrist_image"][-1]).any()
    renderer.close()


def test_depth_is_how_far_rays_go_along_the_view(session, demos, tmp_path):
    import mujoco

    size = 48
    in_session(session, lambda: render(demos, tmp_path / "depth.hdf5", replace(CFG, size=size, depth=True)))
    views = choose_views(session, CFG.cameras)
    scene = scene_model(session.env, views, detail_for(size))
    data = mujoco.MjData(scene.model)
    pixel = (np.arange(size) + 0.5) / size * 2 - 1
    with DemoFile(tmp_path / "depth.hdf5") as file:
        demo = file.read(file.names[1])
        for view in views:
            depth = demo.data[f"obs/{view.name}_depth"]
            assert depth.shape == (LENGTHS[1], size, size, 1) and depth.dtype == np.float16
            scene.pose(data, rows(demo, "states/", 4))
            camera = scene.model.camera(view.name).id
            slope = np.tan(np.deg2rad(scene.model.cam_fovy[camera]) / 2)
            measured = np.zeros((size, size))
            for row, column in np.ndindex(size, size):
                ray = np.array([slope * pixel[column], -slope * pixel[row], -1.0])
                turned = data.cam_xmat[camera].reshape(3, 3) @ ray
                hit = np.zeros(1, np.int32)
                # of a ray whose part along the view is 1, the length is the depth
                measured[row, column] = mujoco.mj_ray(
                    scene.model, data, data.cam_xpos[camera], turned, None, 1, -1, hit, None
                )
            seen = (measured > 0) & (measured < 5)
            assert seen.mean() > 0.5
            # edges fall on one side or the other of the middle of a pixel
            assert np.quantile(np.abs(depth[5, :, :, 0] - measured)[seen], 0.9) < 0.004


def rows(demo: Demo, prefix: str, row: int) -> dict[str, np.ndarray]:
    return {key.removeprefix(prefix): value[row] for key, value in demo.data.items() if key.startswith(prefix)}


def test_each_demo_has_the_look_of_its_seed_and_the_same_one_again(session, demos, rendered, tmp_path):
    looks = LooksCfg(colours=0.3, lights=0.4, camera_m=0.03, camera_rad=0.05)
    in_session(session, lambda: render(demos, tmp_path / "other.hdf5", replace(CFG, looks=looks)))
    with DemoFile(demos) as file, DemoFile(rendered) as plain, DemoFile(tmp_path / "other.hdf5") as other:
        assert other.meta["images"]["looks"] == asdict(looks)
        views = choose_views(session, CFG.cameras)
        scene = scene_model(session.env, views, detail_for(CFG.size))
        drawn = Looks(scene.model, looks)
        with closing(StateRenderer(scene, views, width=CFG.size, height=CFG.size, samples=0)) as renderer:
            for name in (*other.names, *other.names[:1]):
                demo = file.read(name)
                drawn.draw(demo.attrs["seed"])
                again = renderer.render_episode(states_observed(demo))
                for camera, images in again.items():
                    key = f"obs/{camera}_image"
                    np.testing.assert_array_equal(other.read(name, [key]).data[key], images)
                    assert np.abs(images.astype(int) - plain.read(name, [key]).data[key]).mean() > 3


def test_everything_else_is_copied(demos, rendered):
    with h5py.File(demos) as source, h5py.File(rendered) as file:
        names: list[str] = []
        source.visit(names.append)
        for name in names:
            assert name in file
            if isinstance(source[name], h5py.Dataset):
                np.testing.assert_array_equal(source[name][()], file[name][()])
            if name != "data":
                assert dict(source[name].attrs) == dict(file[name].attrs)
        meta = json.loads(file["data"].attrs["apprentice"])
        assert meta["variant"] == "d0"
        assert [camera["name"] for camera in meta["images"]["cameras"]] == ["table", "wrist"]
        assert "failed" in file
    assert sorted(path.name for path in rendered.parent.iterdir()) == ["images.hdf5"]


def test_isaac_lab_and_robomimic_read_the_images(rendered):
    import robomimic.utils.obs_utils as obs_utils
    from isaaclab.utils.datasets import HDF5DatasetFileHandler
    from robomimic.utils.dataset import SequenceDataset

    handler: Any = HDF5DatasetFileHandler()
    handler.open(str(rendered))
    episode: Any = handler.load_episode("demo_1", "cpu")
    expected = DemoFile(rendered).read("demo_1").data["obs/table_image"]
    np.testing.assert_array_equal(episode.data["obs"]["table_image"].numpy(), expected)
    handler.close()
    obs_utils.initialize_obs_utils_with_obs_specs({"obs": {"rgb": ["table_image", "wrist_image"], "low_dim": []}})
    dataset: Any = SequenceDataset(
        hdf5_path=str(rendered),
        obs_keys=("table_image", "wrist_image"),
        dataset_keys=("actions",),
        frame_stack=1,
        seq_length=1,
        hdf5_cache_mode=None,
        load_next_obs=False,
    )
    assert len(dataset) == sum(LENGTHS)
    np.testing.assert_array_equal(dataset[LENGTHS[0]]["obs"]["table_image"][0], expected[0])


def test_a_killed_pass_goes_on_where_it_stopped(session, demos, tmp_path):
    size = 400  # takes long enough to be killed half way
    output = tmp_path / "images.hdf5"
    command = [sys.executable, "-m", "apprentice", "render", str(demos), "--output", str(output), "--size", str(size)]
    folder = tmp_path / "images.hdf5.added"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as killed:
        end = time.monotonic() + WAIT_S
        while not list(folder.glob("demo_*.hdf5")):
            assert time.monotonic() < end and killed.poll() is None
            time.sleep(0.01)
        os.kill(killed.pid, signal.SIGKILL)
    assert not output.exists()
    made = {path: path.stat().st_mtime_ns for path in folder.glob("demo_*.hdf5")}
    assert made
    with pytest.raises(UserError, match="made with another size"):
        in_session(session, lambda: render(demos, output, RenderCfg(size=32)))
    assert {path: path.stat().st_mtime_ns for path in folder.glob("demo_*.hdf5")}.items() >= made.items()
    told: list[int] = []

    class Told:
        def update(self, done: int, total: int, note: str = "") -> None:
            told.append(done)

    report = in_session(session, lambda: render(demos, output, RenderCfg(size=size), Told()))
    assert (report.demos, report.images) == (4, 58)
    assert told[0] >= len(made)
    assert told[-1] == 4
    assert not folder.exists()
    before = output.read_bytes()
    with pytest.raises(UserError, match="expected a new output file"):
        in_session(session, lambda: render(demos, output, RenderCfg(size=size)))
    assert output.read_bytes() == before


def test_what_cannot_be_drawn_is_refused(session, demos, rendered, tmp_path):
    output = tmp_path / "out.hdf5"
    with pytest.raises(UserError, match="table, wrist, found 'side'"):
        in_session(session, lambda: render(demos, output, RenderCfg(cameras=("side",))))
    with pytest.raises(UserError, match="obs/table_image: expected to add this array, found it there already"):
        in_session(session, lambda: render(rendered, output, CFG))
    with pytest.raises(UserError, match="size to be at least 1, got 0"):
        RenderCfg(size=0)
    bare = tmp_path / "bare.hdf5"
    with DemoWriter(bare, task=TASK) as writer:
        demo = moved(session, 0, 3)
        without = {key: value for key, value in demo.data.items() if not key.startswith("states/")}
        writer.append(Demo(actions=demo.actions, data=without, success=True))
    with pytest.raises(UserError, match="demo_0, states: expected recorded states"):
        in_session(session, lambda: render(bare, output, CFG))
    assert not output.exists()


def test_observations_come_from_the_state_before_each_action(session):
    demo = moved(session, 0, 4)
    observed = states_observed(demo)
    for key, rows in observed.items():
        assert len(rows) == 4
        np.testing.assert_array_equal(rows[:1], demo.data[f"initial_state/{key}"])
        np.testing.assert_array_equal(rows[1:], demo.data[f"states/{key}"][:-1])


def test_an_output_lacks_no_demo(demos, tmp_path):
    with AddingCopy(demos, tmp_path / "out.hdf5", ["obs/spot"], {}) as copy:
        assert copy.missing == ["demo_0", "demo_1", "demo_2", "demo_3"]
        write_addition(copy.folder, "demo_2", {"obs/spot": np.zeros((3, 1), np.float32)})
        assert copy.missing == ["demo_0", "demo_1", "demo_3"]
        with pytest.raises(ValueError, match="demo_0"):
            copy.finish({})
    with (
        AddingCopy(demos, tmp_path / "out.hdf5", ["obs/spot"], {}),
        pytest.raises(UserError, match="only writer"),
    ):
        AddingCopy(demos, tmp_path / "out.hdf5", ["obs/spot"], {})
