"""A whole session through the page, on the real task: keys stack a cube, drop it, go back in time, and save."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from driving import KeyDriver, record_while
from pilot import yaw_of

from apprentice.demos import DemoFile, check_file
from apprentice.record.cfg import RecordCfg, ReplayCfg
from apprentice.record.redrive import redrive_in
from apprentice.record.replay import replay_in
from apprentice.tasks.session import open_session

TASK = "Apprentice-Stack-Franka"
CFG = RecordCfg(device=("keyboard",), demos=1, port=0, countdown_s=0.5, seed=11)


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, variant="d0") as opened:
        yield opened


@pytest.fixture(scope="module")
def recorded(session, tmp_path_factory):
    """A demo that was driven by keys, its screenshots, and what the driver saw."""
    path = tmp_path_factory.mktemp("session") / "demos.hdf5"
    seen: dict[str, object] = {}

    def picture(driver: KeyDriver, state: str) -> None:
        driver.picture(path.with_name(f"{state}.png"))

    def drive(driver: KeyDriver) -> None:
        eyes, keys, pilot, page = driver.eyes, driver.keys, driver.pilot, driver.page
        cube, base = "cube_2", "cube_1"

        def above(name: str, height: float):
            return lambda: eyes.pose(name)[:3, 3] + (0.0, 0.0, height)

        def grasp_and_lift() -> None:
            pilot.go(above(cube, 0.0), yaw=yaw_of(eyes, cube))
            if not eyes.closed:
                keys.tap("KeyK")
            driver.until(lambda: driver.done("Grasp 1"), "the grasp to be noticed")
            lifted = eyes.pose(cube)[:3, 3] + (0.0, 0.0, 0.1)
            pilot.go(lambda: eyes.pose("franka")[:3, 3] + lifted - eyes.pose(cube)[:3, 3], near_m=0.02)

        driver.wait_for("ready")
        picture(driver, "ready")
        keys.tap("Enter")
        driver.wait_for("countdown")
        picture(driver, "countdown")
        driver.begin()
        pilot.go(above(cube, 0.12), yaw=yaw_of(eyes, cube), near_m=0.02)
        picture(driver, "recording")
        grasp_and_lift()
        time.sleep(4.0)  # hesitates
        height = eyes.pose(cube)[2, 3]
        keys.tap("KeyK")  # the deliberate drop
        driver.until(lambda: eyes.pose(cube)[2, 3] < height - 0.05, "the cube to fall")
        keys.tap("Space")
        driver.wait_for("paused")
        picture(driver, "paused")
        dropped = driver.step
        page.keyboard.down("Backspace")
        driver.wait_for("rewinding")
        picture(driver, "rewinding")
        driver.until(
            lambda: driver.step < dropped and (eyes.pose(cube)[2, 3] > height - 0.02 or driver.step < dropped - 60),
            "the drop to be undone",
        )
        page.keyboard.up("Backspace")
        driver.wait_for("paused")
        seen["rewound"] = dropped - driver.step
        driver.begin()
        if eyes.pose(cube)[2, 3] < height - 0.02:  # the page was slow, and time went back farther than it had to
            grasp_and_lift()
        held = lambda: eyes.pose(base)[:3, 3] + eyes.pose("franka")[:3, 3] - eyes.pose(cube)[:3, 3]  # noqa: E731
        pilot.go(lambda: held() + (0.0, 0.0, 0.11), yaw=yaw_of(eyes, base), near_m=0.02)
        pilot.go(lambda: held() + (0.0, 0.0, 0.047), yaw=yaw_of(eyes, base))
        keys.tap("KeyK")
        driver.until(lambda: driver.done("Stack 1"), "the stack to be noticed")
        start = eyes.pose("franka")[:3, 3].copy()
        pilot.go(lambda: start + (0.0, 0.0, 0.08), near_m=0.03)
        seen["stacked"] = eyes.pose(cube)[:3, 3] - eyes.pose(base)[:3, 3]
        keys.tap("KeyN")

    result = record_while(session, path, CFG, KeyDriver, drive)
    assert (result.demos, result.saved) == (1, 1)
    return path, seen


def test_keys_stacked_the_first_cube(recorded):
    _, seen = recorded
    off = seen["stacked"]
    assert np.linalg.norm(off[:2]) < 0.02
    assert off[2] == pytest.approx(0.0406, abs=0.004)


def test_the_demo_is_sound_and_the_drop_is_not_in_it(recorded):
    path, _ = recorded
    report = check_file(path)
    assert not [finding for finding in report.findings if finding.severity == "error"]
    with DemoFile(path) as file:
        (name,) = file.names
        demo = file.read(name)
    assert demo.attrs["operator"] == "person"
    assert demo.attrs["device"] == "keyboard"
    assert 0 < demo.attrs["achieved_hz"] <= 20.5
    gripper = demo.actions[:, -1]
    assert (np.diff(np.sign(gripper)) != 0).sum() == 2, "it closes once and opens once"


def test_the_demo_replays_with_the_very_same_bits(session, recorded):
    path, _ = recorded
    (result,) = replay_in(session, path, ReplayCfg()).demos
    assert result.bit_exact


def test_the_frames_lead_to_the_very_same_actions_again(session, recorded):
    path, _ = recorded
    with DemoFile(path) as file:
        logs = {name: file.attrs(name)["frames"] for name in file.names}
    (result,) = redrive_in(session, path, logs).demos
    assert result.same_actions


def test_every_state_was_seen_on_the_page(recorded):
    path, _ = recorded
    for state in ("ready", "countdown", "recording", "paused", "rewinding"):
        assert path.with_name(f"{state}.png").stat().st_size > 20_000


def test_the_log_records_the_demo_again_by_the_command_line(recorded):
    path, _ = recorded
    with DemoFile(path) as file:
        demo = file.read(file.names[0])
        log = path.with_name(demo.attrs["frames"])
    again = path.with_name("again.hdf5")
    command = ["record", TASK, "--device", f"replay:{log}", "--output", str(again)]
    subprocess.run([sys.executable, "-m", "apprentice", *command], check=True, timeout=300)
    with DemoFile(again) as file:
        same = file.read(file.names[0])
    assert np.array_equal(same.actions, demo.actions)
    assert same.attrs["seed"] == demo.attrs["seed"]
