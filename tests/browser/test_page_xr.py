"""Controllers and bare hands of an emulated headset arrive at the server as they are held."""

from __future__ import annotations

import math

import numpy as np
import pytest
from desk import COMPLAINTS, eventually, iwer, open_browser, open_desk, open_page

from apprentice.robots.fingered import HANDS
from apprentice.teleop.fingers import FingerRetarget
from apprentice.teleop.sources.messages import parse_input


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture
def desk():
    with open_desk(view=False) as desk:
        yield desk


@pytest.fixture
def headset(browser, desk):
    """The headset's page in a Quest 3, in VR."""
    context = browser.new_context()
    context.add_init_script(path=iwer())
    context.add_init_script("""
        window.device = new IWER.XRDevice(IWER.metaQuest3);
        device.installRuntime({ forceInstall: true });
    """)
    page = open_page(context, desk.url.replace("/?", "/xr?"))
    page.click("#enter-vr:enabled")
    eventually(lambda: desk.recorder.last.get("xr"), page, "input of an XR session")
    page.evaluate("device.position.set(0, 1.6, 0); device.controllers.right.position.set(0.25, 1.2, -0.4)")
    yield page
    context.close()


def hand(desk, side: str = "right") -> dict:
    xr = desk.recorder.last.get("xr") or {"hands": {}}
    return xr["hands"].get(side, {})


def near(desk, place, side: str = "right"):
    """Whether a hand is at a place; the emulator's is that of the ray, a few centimetres before the grip."""
    return "p" in hand(desk, side) and np.linalg.norm(np.subtract(hand(desk, side)["p"], place)) < 0.06


def test_a_controller_arrives_where_it_is_held(desk, headset):
    eventually(lambda: near(desk, (0.25, 1.2, -0.4)), headset)
    assert np.allclose(desk.recorder.last["xr"]["head"]["p"], (0, 1.6, 0), atol=1e-3)
    right = hand(desk)
    headset.evaluate("device.controllers.right.position.set(0.35, 1.4, -0.7)")
    moved = np.add(right["p"], (0.1, 0.2, -0.3))
    eventually(lambda: np.allclose(hand(desk)["p"], moved, atol=1e-4), headset, str(moved))
    assert right["tracked"] is True
    assert right["source"] == "controller"
    assert math.isclose(float(np.linalg.norm(right["q"])), 1.0, abs_tol=1e-3)
    assert desk.recorder.last["visible"] is True


def test_trigger_squeeze_and_stick_arrive_as_numbers(desk, headset):
    headset.evaluate("""() => {
        const right = device.controllers.right;
        right.updateButtonValue('trigger', 0.75);
        right.updateButtonValue('squeeze', 1);
        right.updateAxes('thumbstick', 0.5, -0.25);
    }""")
    eventually(lambda: hand(desk).get("trigger") == 0.75 and hand(desk).get("axes") == [0.5, -0.25], headset)
    assert hand(desk)["squeeze"] == 1


@pytest.mark.parametrize(("name", "index"), [("a-button", 4), ("b-button", 5), ("thumbstick", 3)])
def test_a_button_of_the_controller_keeps_its_place(desk, headset, name, index):
    headset.evaluate(f"device.controllers.right.updateButtonValue('{name}', 1)")
    eventually(lambda: hand(desk)["buttons"][index] == 1, headset, name)
    headset.evaluate(f"device.controllers.right.updateButtonValue('{name}', 0)")
    eventually(lambda: hand(desk)["buttons"][index] == 0, headset, name)


def test_everything_that_is_sent_is_as_agreed(desk, headset):
    headset.wait_for_timeout(300)
    headset.evaluate("device.primaryInputMode = 'hand'")
    eventually(lambda: hand(desk).get("source") == "hand", headset)
    headset.wait_for_timeout(300)
    for message in desk.recorder.inputs:
        parse_input(message)  # refuses NaN, missing fields and values out of range
    assert desk.recorder.losses == []


def test_both_hands_arrive(desk, headset):
    headset.evaluate("device.controllers.left.position.set(-0.25, 1.1, -0.3)")
    eventually(lambda: near(desk, (-0.25, 1.1, -0.3), "left"), headset)
    assert hand(desk, "right")["tracked"]


def test_a_pinching_hand_is_a_controller_with_its_trigger_pulled(desk, headset):
    headset.evaluate("""() => {
        device.primaryInputMode = 'hand';
        const right = device.hands.right;
        right.position.set(0.1, 1.3, -0.3);
        right.poseId = 'default';
        right.updatePinchValue(0);
    }""")
    eventually(lambda: hand(desk).get("source") == "hand" and hand(desk)["tracked"], headset)
    opened = eventually(lambda: hand(desk)["trigger"] < 0.3 and hand(desk), headset, "an open hand")
    headset.evaluate("device.hands.right.updatePinchValue(1)")
    closed = eventually(lambda: hand(desk)["trigger"] > 0.9 and hand(desk), headset, "a closed pinch")
    assert len(closed["joints"]) == 25
    assert np.linalg.norm(np.subtract(closed["p"], (0.1, 1.3, -0.3))) < 0.25
    moved = {name: np.linalg.norm(np.subtract(at, opened["joints"][name])) for name, at in closed["joints"].items()}
    assert moved["index-finger-tip"] > 0.05
    assert np.linalg.norm(np.subtract(closed["p"], opened["p"])) < 0.012, "pinching does not push the robot"
    robot = FingerRetarget(next(hand for hand in HANDS if hand.side == "right"))
    apart: list[float] = []
    for seen in (opened, closed):
        for _ in range(6):
            joints = robot.joints({name: tuple(at) for name, at in seen["joints"].items()})
        tips = robot.tips(joints)
        apart.append(float(np.linalg.norm(tips["thumb"] - tips["index"])))
    assert apart[0] > 0.1 and apart[1] < 0.005, "a robot's fingers pinch as the hand does"


def test_a_controller_that_is_gone_is_not_tracked(desk, headset):
    eventually(lambda: hand(desk).get("tracked"), headset)
    headset.evaluate("device.controllers.right.connected = false")
    eventually(lambda: not hand(desk).get("tracked", False), headset)


def test_a_controller_out_of_sight_whose_place_is_guessed_is_not_tracked(desk, headset):
    headset.evaluate(
        "Object.defineProperty(XRPose.prototype, 'emulatedPosition', { get: () => window.guessed ?? false })"
    )
    eventually(lambda: hand(desk).get("tracked"), headset)
    headset.wait_for_timeout(200)
    headset.evaluate("window.guessed = true")
    eventually(lambda: not hand(desk)["tracked"], headset)
    headset.evaluate("window.guessed = false")
    eventually(lambda: hand(desk)["tracked"], headset)


@pytest.mark.parametrize("state", ["visible-blurred", "hidden"])
def test_a_headset_that_shows_something_else_releases_everything(desk, headset, state):
    headset.evaluate("device.controllers.right.updateButtonValue('squeeze', 1)")
    eventually(lambda: hand(desk).get("squeeze") == 1, headset)
    headset.evaluate(f"device.updateVisibilityState('{state}')")
    eventually(lambda: desk.recorder.last["visible"] is False, headset)
    headset.wait_for_timeout(200)
    for given in desk.recorder.last["xr"]["hands"].values():
        assert (given["tracked"], given["squeeze"], given["trigger"]) == (False, 0, 0)
        assert not any(given["buttons"])


def test_frames_that_stop_coming_release_everything(desk, headset):
    eventually(lambda: hand(desk).get("tracked"), headset)
    headset.evaluate("XRSession.prototype.requestAnimationFrame = () => 0")  # the headset hangs, the page doesn't
    eventually(lambda: not hand(desk).get("tracked", False), headset)
    start = len(desk.recorder.inputs)
    eventually(lambda: len(desk.recorder.since(start)) > 3, headset, "a page that still speaks")
    assert not hand(desk)["tracked"]


def test_the_end_of_the_session_takes_the_hands_away(desk, headset):
    eventually(lambda: hand(desk).get("tracked"), headset)
    headset.evaluate("device.activeSession.end()")
    eventually(lambda: desk.recorder.last["xr"] is None, headset)
    headset.wait_for_selector('body[data-session="none"]')


@pytest.mark.parametrize(("height", "button"), [(0.07, 4), (0.0, 5), (-0.07, 3)])
def test_fingers_press_the_buttons_in_the_air(desk, headset, height, button):
    from_panel = """async (rows) => {  // puts the index finger's tip onto a row of the panel on the left
        const { facing } = await import('/static/xr_panels.js');
        const model = facing({ position: { x: 0, y: 1.6, z: 0 }, yaw: 0 }, 0.5, 0.75, -0.25);
        const left = device.hands.left;
        const tip = window.tip;
        const wanted = [0, 1, 2].map((axis) => model[12 + axis] + rows * model[4 + axis]);
        const at = [left.position.x, left.position.y, left.position.z];
        left.position.set(...at.map((value, axis) => value + wanted[axis] - tip[axis]));
    }"""
    headset.evaluate("device.activeSession.end()")
    eventually(lambda: desk.recorder.last["xr"] is None, headset)
    headset.evaluate(
        "device.primaryInputMode = 'hand'; device.position.set(0, 1.6, 0); device.quaternion.set(0, 0, 0, 1)"
    )
    headset.click("#enter-vr:enabled")
    tip = eventually(lambda: hand(desk, "left").get("joints", {}).get("index-finger-tip"), headset)
    headset.evaluate("tip => { window.tip = tip; }", tip)
    headset.evaluate(from_panel, height)
    pressed = lambda: [index for index, value in enumerate(hand(desk, "left")["buttons"]) if value]  # noqa: E731
    eventually(lambda: pressed() == [button], headset, f"button {button} pressed")
    headset.evaluate("device.hands.left.position.set(-0.4, 0.9, -0.2)")
    eventually(lambda: pressed() == [], headset)


def test_pulses_reach_the_controller(desk, headset):
    eventually(lambda: hand(desk).get("tracked"), headset)
    headset.evaluate("""() => {
        window.pulses = [];
        for (const source of device.activeSession.inputSources) {
            const [actuator] = source.gamepad.hapticActuators;
            actuator.pulse = async (strength, ms) => pulses.push([source.handedness, strength, ms]);
        }
    }""")
    desk.server.pulse("right", 0.5, 40)
    eventually(lambda: headset.evaluate("pulses") == [["right", 0.5, 40]], headset)


def test_the_panels_are_drawn_for_both_eyes(desk, headset):
    headset.wait_for_timeout(800)
    assert COMPLAINTS[headset] == []
    drawn = headset.evaluate("""() => new Promise((resolve) => device.activeSession.requestAnimationFrame(() => {
        const gl = document.getElementById('gl').getContext('webgl2');
        const { width, height } = gl.canvas;
        const values = new Uint8Array(4 * width * height);
        gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, values);
        const shades = new Set();
        for (let i = 0; i < values.length; i += 4) shades.add(values[i] << 16 | values[i + 1] << 8 | values[i + 2]);
        resolve([...shades]);
    }))""")
    teal = 0x14625E  # of the banner that says "ready"
    assert teal in drawn
    assert {0x5A5A5A, 0xA0A0A0} <= set(drawn)  # the two cameras


def test_speed_and_standing_are_set_before_entering_and_stay(desk, headset):
    headset.evaluate("device.activeSession.end()")
    headset.fill("#speed", "0.5")
    headset.fill("#yaw", "180")
    headset.press("#yaw", "Enter")
    headset.click("#enter-vr:enabled")
    eventually(lambda: desk.recorder.last["xr"], headset, "another session")
    settings = desk.recorder.last["settings"]
    assert (settings["speed"], settings["operator_yaw_deg"]) == (0.5, 180)
    headset.reload()
    eventually(lambda: desk.recorder.last["settings"] == settings and desk.recorder.last["xr"] is None, headset)


def test_without_a_headset_the_page_says_what_to_do(desk, browser):
    page = open_page(browser, desk.url.replace("/?", "/xr?"))
    eventually(lambda: "headset" in page.inner_text("#why-not"), page)
    assert page.is_disabled("#enter-vr")
    page.context.close()
