"""A whole session with two hands at once: each controller of an emulated headset lifts a cube with its arm."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from driving import record_while
from pilot import yaw_of
from xr_pilot import Goal, XrDriver

from apprentice.demos import DemoFile, check_file
from apprentice.record.cfg import RecordCfg, ReplayCfg
from apprentice.record.redrive import redrive_in
from apprentice.record.replay import replay_in
from apprentice.tasks.session import open_session

sys.path.append(str(Path(__file__).resolve().parents[1] / "sim"))

from two_arms import EEFS, LIFTED_M, TASK_ID, cube_of

CFG = RecordCfg(device=("xr",), demos=1, port=0, countdown_s=0.5, seed=3)


class TwoHandsDriver(XrDriver):
    EEFS: ClassVar = {"left": "left", "right": "right"}


@pytest.fixture(scope="module")
def session():
    with open_session(TASK_ID) as opened:
        yield opened


@pytest.fixture(scope="module")
def recorded(session, tmp_path_factory):
    """A demo that both hands drove together, and what the driver saw."""
    path = tmp_path_factory.mktemp("hands") / "demos.hdf5"
    seen: dict[str, object] = {}

    def drive(driver: TwoHandsDriver) -> None:
        eyes = driver.eyes

        def at(height: float) -> dict[str, Goal]:
            def goal(cube: str) -> Goal:
                return Goal(place=lambda: eyes.pose(cube)[:3, 3] + (0.0, 0.0, height), yaw=yaw_of(eyes, cube))

            return {eef: goal(cube_of(eef)) for eef in EEFS}

        driver.wait_for("ready")
        driver.begin()
        driver.go(at(0.12), near_m=0.02)
        driver.picture(path.with_name("above.png"))
        driver.go(at(0.0))
        driver.grip(*EEFS, closed=True)
        driver.until(lambda: all(driver.done(f"Grasp {eef}") for eef in EEFS), "both grasps to be noticed")
        starts = {eef: eyes.pose(eef)[:3, 3].copy() for eef in EEFS}
        up = {eef: Goal(place=lambda start=start: start + (0.0, 0.0, 0.2)) for eef, start in starts.items()}
        driver.go(up, until=lambda: driver.state in ("saved", "ended"))
        seen["heights"] = {eef: eyes.pose(cube_of(eef))[2, 3] for eef in EEFS}

    result = record_while(session, path, CFG, TwoHandsDriver, drive)
    assert (result.demos, result.saved) == (1, 1)
    return path, seen


def test_success_that_held_saved_the_demo_by_itself(recorded):
    path, seen = recorded
    assert all(height > LIFTED_M for height in seen["heights"].values())
    assert not [finding for finding in check_file(path).findings if finding.severity == "error"]
    with DemoFile(path) as file:
        (name,) = file.names
        demo = file.read(name)
    assert demo.success
    assert (demo.attrs["operator"], demo.attrs["device"]) == ("person", "xr")
    lifts = [demo.data[f"obs/datagen_info/object_pose/{cube_of(eef)}"][:, 2, 3] > LIFTED_M for eef in EEFS]
    assert np.logical_and(*lifts)[-CFG.held_steps + 1 :].all()


def test_both_arms_moved_at_once(recorded):
    path, _ = recorded
    with DemoFile(path) as file:
        data = file.read(file.names[0]).data
    places = [data[f"obs/datagen_info/eef_pose/{eef}"][:, :3, 3] for eef in EEFS]
    speeds = [np.linalg.norm(np.diff(place, axis=0), axis=1) for place in places]
    moving = [speed > 0.001 for speed in speeds]
    assert np.logical_and(*moving).sum() > 0.3 * np.logical_or(*moving).sum()


def test_the_demo_replays_with_the_very_same_bits(session, recorded):
    (result,) = replay_in(session, recorded[0], ReplayCfg()).demos
    assert result.bit_exact
    assert result.success


def test_the_frames_lead_to_the_very_same_actions_again(session, recorded):
    path, _ = recorded
    with DemoFile(path) as file:
        logs = {name: file.attrs(name)["frames"] for name in file.names}
    (result,) = redrive_in(session, path, logs).demos
    assert result.same_actions
    assert result.success


def test_both_arms_were_seen_by_those_who_watch(recorded):
    assert recorded[0].with_name("above.png").stat().st_size > 20_000
