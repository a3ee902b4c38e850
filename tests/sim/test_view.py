"""The view beside the control loop: the 3D scene in a browser, camera images, and a loop that is never disturbed."""

import contextlib
import io
import os
import pickle
import queue
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright
from scripted_grasp import TASK

from apprentice.errors import UserError
from apprentice.sim.scene_model import scene_model
from apprentice.sim.views import FRONT, TABLE, WRIST
from apprentice.tasks.session import open_session
from apprentice.tasks.views import choose_views, task_views
from apprentice.teleop.view.cfg import ViewCfg
from apprentice.teleop.view.process import SceneView
from apprentice.teleop.view.slot import StateSlot

WAIT_S = 60.0
"""For what takes a moment, on a busy machine."""
BROWSER = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")


@pytest.fixture(scope="module")
def session():
    with open_session(TASK) as opened:
        yield opened


@pytest.fixture(scope="module")
def state(session) -> dict[str, np.ndarray]:
    session.reset(seeds=[5])
    return {name: value[0].numpy().copy() for name, value in session.state().items()}


@pytest.fixture(scope="module")
def scene(session):
    return scene_model(session.env, (FRONT, WRIST), ViewCfg().detail_m)


@pytest.fixture(scope="module")
def shown(scene):
    """A running view, and the images that it sends."""
    images: queue.Queue[tuple[str, bytes]] = queue.Queue()
    view = SceneView(scene, (FRONT, WRIST), on_image=lambda name, jpeg: images.put((name, jpeg)), eefs=("franka",))
    port = view.start()
    yield view, port, images
    view.stop()


def lifted(state: dict[str, np.ndarray], height_m: float) -> dict[str, np.ndarray]:
    pose = state["rigid_object/cube_2/root_pose"].copy()
    pose[2] += height_m
    return state | {"rigid_object/cube_2/root_pose": pose}


def next_image(images: queue.Queue, camera: str) -> np.ndarray:
    while True:
        name, jpeg = images.get(timeout=WAIT_S)
        if name == camera:
            return np.asarray(Image.open(io.BytesIO(jpeg)), dtype=int)


def image_after(images: queue.Queue, camera: str) -> np.ndarray:
    """An image whose drawing began after this call."""
    with contextlib.suppress(queue.Empty):
        while True:
            images.get_nowait()
    next_image(images, camera)  # may have been on its way
    return next_image(images, camera)


def test_the_task_says_which_cameras_it_has(session):
    assert task_views(session) == (FRONT, TABLE, WRIST)
    assert choose_views(session, ("wrist",)) == (WRIST,)
    with pytest.raises(UserError, match=r"front, table, wrist, found 'side'"):
        choose_views(session, ("side",))


def test_a_task_that_says_nothing_gets_cameras_that_see_its_objects(session, monkeypatch):
    monkeypatch.setattr(type(session.env), "camera_views", ())
    front, table, wrist = task_views(session)
    assert [front.name, table.name, wrist] == ["front", "table", WRIST]
    for view in (front, table):
        for name in ("cube_1", "cube_2", "cube_3"):
            x, y, z = view.rotation.T @ (
                session.env.cfg.scene.__getattribute__(name).init_state.pos - np.array(view.eye_m)
            )
            assert max(abs(x), abs(y)) < -z * np.tan(np.radians(view.field_of_view_deg / 2)), (view.name, name)


def test_images_show_a_cube_that_moved(shown, state):
    view, _, images = shown
    view.update(state)
    before = image_after(images, "front")
    assert before.shape == (360, 480, 3)
    assert len(np.unique(before.reshape(-1, 3), axis=0)) > 50
    view.update(lifted(state, 0.2))
    after = image_after(images, "front")
    changed = (np.abs(after - before).max(axis=2) > 60).sum()
    assert 100 < changed < 5000  # a cube here and gone there, and nothing else
    assert view.problem is None


def test_the_page_shows_the_scene_and_follows_it(shown, state):
    view, port, _ = shown
    view.update(state)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=WAIT_S) as answer:
        assert answer.status == 200
        assert b"<html" in answer.read().lower()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(BROWSER))
        page = browser.new_page(viewport={"width": 480, "height": 360})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"http://127.0.0.1:{port}/", timeout=1000 * WAIT_S)
        before = settled(page, lambda image: all(count > 20 for count in colours(image).values()))
        target = np.eye(4)
        target[:3, 3] = 0.5, 0.2, 0.2
        view.update(lifted(state, 0.3), {"franka": target})
        row = np.argwhere(is_red(before))[:, 0].mean()
        # of the target, too, an axis is red, and stays below
        after = settled(page, lambda image: np.argwhere(is_red(image))[:, 0].mean() < row - 15)
        assert colours(after)["red"] > 20
        browser.close()
    assert {url for url in asked if not url.startswith((f"http://127.0.0.1:{port}/", "data:", "blob:"))} == set()


def settled(page, reached) -> np.ndarray:
    """What the page shows once `reached` is true of it."""
    end = time.monotonic() + WAIT_S
    while True:
        image = np.asarray(Image.open(io.BytesIO(page.screenshot(timeout=1000 * WAIT_S))).convert("RGB"), dtype=int)
        if reached(image):
            return image
        assert time.monotonic() < end, "the page never showed it"
        time.sleep(0.2)


def is_red(image: np.ndarray) -> np.ndarray:
    return image[..., 0] - image[..., 1:].max(axis=2) > 90


def colours(image: np.ndarray) -> dict[str, int]:
    """Pixels of each cube's colour."""
    red, green, blue = (image[..., channel] for channel in range(3))
    return {
        "red": int(is_red(image).sum()),
        "green": int((green - np.maximum(red, blue) > 40).sum()),
        "blue": int((blue - np.maximum(red, green) > 90).sum()),
    }


def test_a_view_that_hangs_never_holds_up_the_loop(shown, state):
    view, _, images = shown
    os.kill(view.pid, signal.SIGSTOP)
    done = threading.Event()

    def update_often():
        for step in range(2000):
            view.update(lifted(state, 0.001 * step))
        done.set()

    threading.Thread(target=update_often, daemon=True).start()
    assert done.wait(WAIT_S)
    os.kill(view.pid, signal.SIGCONT)
    view.update(state)
    image_after(images, "front")


def test_a_view_that_crashes_comes_back_where_it_was(shown, state):
    view, port, images = shown
    crashed = view.pid
    os.kill(crashed, signal.SIGKILL)
    view.update(lifted(state, 0.1))
    end = time.monotonic() + WAIT_S
    while view.pid in (crashed, None):
        assert time.monotonic() < end, "the view did not come back"
        time.sleep(0.05)
    image_after(images, "front")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=WAIT_S) as answer:
        assert answer.status == 200
    assert view.problem is None


def test_a_view_that_keeps_crashing_is_reported(scene):
    view = SceneView(scene, cfg=ViewCfg(restarts=0))
    view.start()
    assert view.pid is not None
    os.kill(view.pid, signal.SIGKILL)
    end = time.monotonic() + WAIT_S
    while view.problem is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert "ended 1 times" in view.problem
    view.stop()
    view.stop()
    assert view.pid is None


def test_a_view_that_could_not_start_can_be_stopped(scene):
    class Unsendable(ViewCfg):
        """Of no module: another process cannot be told of it."""

    view = SceneView(scene, cfg=Unsendable())
    with pytest.raises((AttributeError, pickle.PicklingError), match="Unsendable"):
        view.start()
    assert view.pid is None
    view.stop()


def test_a_reader_gets_whole_states_only(scene, state):
    slot = StateSlot(scene, ("franka",))
    assert slot.read() is None
    keys = [name for name in state if name.endswith("/root_pose")]
    writing = threading.Event()

    def write():
        for step in range(20000):
            slot.write(state | {name: np.full(7, float(step)) for name in keys}, {"franka": np.eye(4)})
        writing.set()

    threading.Thread(target=write, daemon=True).start()
    numbers = []
    while not writing.is_set():
        snap = slot.read()
        if snap is not None:
            values = np.concatenate([snap.states[name] for name in keys])
            assert (values == values[0]).all()
            np.testing.assert_array_equal(snap.targets["franka"], np.eye(4))
            numbers.append(snap.number)
    assert numbers == sorted(numbers)
    slot.write(state, {})
    snap = slot.read()
    assert snap is not None
    assert snap.targets == {}


PARENT = """
import pickle, sys, time
if __name__ == "__main__":
    from apprentice.teleop.view.process import SceneView
    with open(sys.argv[1], "rb") as file:
        view = SceneView(pickle.load(file), on_image=None)
    view.start()
    print(view.pid, flush=True)
    time.sleep(600)
"""


def test_the_view_ends_with_its_parent(scene, tmp_path: Path):
    (tmp_path / "scene.pickle").write_bytes(pickle.dumps(scene))
    (tmp_path / "parent.py").write_text(textwrap.dedent(PARENT))
    command = [sys.executable, str(tmp_path / "parent.py"), str(tmp_path / "scene.pickle")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
    end = time.monotonic() + WAIT_S
    while is_running(child):
        assert time.monotonic() < end, "the view outlived its parent"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
