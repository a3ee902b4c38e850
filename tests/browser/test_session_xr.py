"""Whole sessions in an emulated headset, on the real task: a controller stacks a cube, and a bare hand lifts one."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from driving import record_while
from pilot import yaw_of
from xr_pilot import BareHandDriver, Goal, XrDriver

from apprentice.demos import DemoFile, check_file
from apprentice.record.cfg import RecordCfg, ReplayCfg
from apprentice.record.redrive import redrive_in
from apprentice.record.replay import replay_in
from apprentice.tasks.session import open_session

TASK = "Apprentice-Stack-Franka"
CFG = RecordCfg(device=("xr",), demos=1, port=0, countdown_s=0.5, seed=11)
ARM, CUBE, BASE = "franka", "cube_2", "cube_1"


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, variant="d0") as opened:
        yield opened


def approach(driver: XrDriver) -> None:
    """Hover over the cube, with the fingers beside it."""
    above = lambda: driver.eyes.pose(CUBE)[:3, 3] + (0.0, 0.0, 0.12)  # noqa: E731
    driver.go({ARM: Goal(place=above, yaw=yaw_of(driver.eyes, CUBE))}, near_m=0.02)


def grasp_and_lift(driver: XrDriver) -> None:
    eyes = driver.eyes
    driver.go({ARM: Goal(place=lambda: eyes.pose(CUBE)[:3, 3], yaw=yaw_of(eyes, CUBE))})
    driver.grip(ARM, closed=True)
    driver.until(lambda: driver.done("Grasp 1"), "the grasp to be noticed")
    lifted = eyes.pose(CUBE)[:3, 3] + (0.0, 0.0, 0.1)
    driver.go({ARM: Goal(place=lambda: eyes.pose(ARM)[:3, 3] + lifted - eyes.pose(CUBE)[:3, 3])}, near_m=0.02)


@pytest.fixture(scope="module")
def by_controller(session, tmp_path_factory):
    """A demo that was driven with a controller, its screenshots, and what the driver saw."""
    path = tmp_path_factory.mktemp("controller") / "demos.hdf5"
    seen: dict[str, object] = {}

    def picture(driver: XrDriver, state: str) -> None:
        driver.picture(path.with_name(f"{state}.png"))

    def drive(driver: XrDriver) -> None:
        eyes = driver.eyes
        driver.wait_for("ready")
        picture(driver, "ready")
        driver.begin()
        approach(driver)
        picture(driver, "recording")
        grasp_and_lift(driver)
        height, held_until = eyes.pose(CUBE)[2, 3], driver.step
        driver.grip(ARM, closed=False)  # the deliberate drop
        driver.until(lambda: eyes.pose(CUBE)[2, 3] < height - 0.05, "the cube to fall")
        driver.tap("a-button")
        driver.wait_for("paused")
        picture(driver, "paused")
        dropped = driver.step
        driver.press("b-button", True)
        driver.wait_for("rewinding")
        driver.until(lambda: driver.step < held_until, "the drop to be undone")
        driver.press("b-button", False)
        driver.wait_for("paused")
        seen["rewound"] = dropped - driver.step
        if eyes.pose(CUBE)[2, 3] > height - 0.03:
            driver.begin()  # the trigger is not pulled, and yet the gripper stays closed
            driver.grip(ARM, closed=True)
        else:  # the page was slow, and time went back farther than it had to
            driver.begin()
            grasp_and_lift(driver)

        def over(height_m: float) -> Goal:
            off = (0.0, 0.0, height_m)
            place = lambda: eyes.pose(BASE)[:3, 3] + eyes.pose(ARM)[:3, 3] - eyes.pose(CUBE)[:3, 3] + off  # noqa: E731
            return Goal(place=place, yaw=yaw_of(eyes, BASE))

        driver.go({ARM: over(0.11)}, near_m=0.02)
        driver.go({ARM: over(0.047)})
        driver.grip(ARM, closed=False)
        driver.until(lambda: driver.done("Stack 1"), "the stack to be noticed")
        start = eyes.pose(ARM)[:3, 3].copy()
        driver.go({ARM: Goal(place=lambda: start + (0.0, 0.0, 0.08))}, near_m=0.03)
        seen["stacked"] = eyes.pose(CUBE)[:3, 3] - eyes.pose(BASE)[:3, 3]
        seen["clutched"] = driver.hands["right"].clutched
        driver.tap("thumbstick")

    result = record_while(session, path, CFG, XrDriver, drive)
    assert (result.demos, result.saved) == (1, 1)
    return path, seen


@pytest.fixture(scope="module")
def by_hand(session, tmp_path_factory):
    """A demo that was driven with a bare hand, and what the driver saw."""
    path = tmp_path_factory.mktemp("hand") / "demos.hdf5"
    seen: dict[str, object] = {}

    def drive(driver: BareHandDriver) -> None:
        driver.wait_for("ready")
        seen["headset"] = path.with_name("headset.png")
        path.with_name("headset.png").write_bytes(base64.b64decode(driver.page.evaluate("seen()").split(",")[1]))
        driver.begin()
        approach(driver)
        grasp_and_lift(driver)
        driver.picture(path.with_name("lifted.png"))
        seen["height"] = driver.eyes.pose(CUBE)[2, 3]
        driver.touch("save")

    result = record_while(session, path, CFG, BareHandDriver, drive)
    assert (result.demos, result.saved) == (1, 1)
    return path, seen


@pytest.fixture(params=["by_controller", "by_hand"])
def recorded(request):
    return request.getfixturevalue(request.param)


def grips(path) -> np.ndarray:
    with DemoFile(path) as file:
        (name,) = file.names
        return file.read(name).actions[:, -1]


def test_a_controller_stacked_the_first_cube(by_controller):
    _, seen = by_controller
    assert np.linalg.norm(seen["stacked"][:2]) < 0.02
    assert seen["stacked"][2] == pytest.approx(0.0406, abs=0.004)
    assert seen["clutched"] > 1, "the arm is short, and the clutch lets it begin anew"


def test_the_drop_is_not_in_the_demo(by_controller):
    path, _ = by_controller
    assert (np.diff(np.sign(grips(path))) != 0).sum() == 2, "it closes once and opens once"


def test_a_pinching_hand_lifted_the_cube(by_hand):
    path, seen = by_hand
    assert seen["height"] > 0.09
    assert (np.diff(np.sign(grips(path))) != 0).sum() == 1, "it closes once and stays closed"


def test_the_demo_is_sound_and_says_who_made_it(recorded):
    path, _ = recorded
    assert not [finding for finding in check_file(path).findings if finding.severity == "error"]
    with DemoFile(path) as file:
        attrs = file.attrs(file.names[0])
    assert (attrs["operator"], attrs["device"]) == ("person", "xr")


def test_the_demo_replays_with_the_very_same_bits(session, recorded):
    (result,) = replay_in(session, recorded[0], ReplayCfg()).demos
    assert result.bit_exact


def test_the_frames_lead_to_the_very_same_actions_again(session, recorded):
    path, _ = recorded
    with DemoFile(path) as file:
        logs = {name: file.attrs(name)["frames"] for name in file.names}
    (result,) = redrive_in(session, path, logs).demos
    assert result.same_actions


def test_every_state_was_seen_by_those_who_watch(by_controller, by_hand):
    for state in ("ready", "recording", "paused"):
        assert by_controller[0].with_name(f"{state}.png").stat().st_size > 20_000
    assert by_hand[0].with_name("lifted.png").stat().st_size > 20_000
