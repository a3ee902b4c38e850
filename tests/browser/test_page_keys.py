"""What the operator presses reaches the server, whole and at once; what they let go of never stays."""

from __future__ import annotations

import numpy as np
import pytest
from desk import Desk, eventually, open_browser, open_desk, open_page


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture
def desk():
    with open_desk() as desk:
        yield desk


@pytest.fixture
def page(browser, desk):
    page = open_page(browser, desk.url)
    eventually(lambda: desk.recorder.inputs, page)
    yield page
    page.context.close()


def held(desk: Desk) -> set[str]:
    return set(desk.recorder.last.get("keys", ()))


def hears(desk: Desk, page, *keys: str) -> None:
    eventually(lambda: held(desk) == set(keys), page, f"held keys {keys}")


def test_held_keys_arrive_as_a_set_and_go_one_by_one(desk, page):
    page.keyboard.down("KeyW")
    page.keyboard.down("KeyQ")
    hears(desk, page, "KeyW", "KeyQ")
    page.keyboard.up("KeyW")
    hears(desk, page, "KeyQ")
    page.keyboard.up("KeyQ")
    hears(desk, page)


@pytest.mark.parametrize("key", ["Enter", "Space", "KeyN"])
def test_a_tap_is_never_missed_however_short(desk, page, key):
    start = len(desk.recorder.inputs)
    page.keyboard.press(key)
    eventually(lambda: any(m["keys"] == [key] for m in desk.recorder.since(start)), page, f"a tap of {key}")
    hears(desk, page)


def test_auto_repeat_changes_nothing(desk, page):
    page.keyboard.down("KeyW")
    hears(desk, page, "KeyW")
    for _ in range(5):
        page.keyboard.down("KeyW")  # without an up between, this is what auto-repeat sends
    page.keyboard.up("KeyW")
    hears(desk, page)


def test_the_complete_state_comes_again_and_again_while_nothing_changes(desk, page):
    page.keyboard.down("KeyA")
    hears(desk, page, "KeyA")
    start = len(desk.recorder.inputs)
    page.wait_for_timeout(1000)
    beats = desk.recorder.since(start)
    assert len(beats) >= 10
    assert all(beat["keys"] == ["KeyA"] and beat["visible"] is True for beat in beats)
    assert [beat["seq"] for beat in beats] == list(range(beats[0]["seq"], beats[0]["seq"] + len(beats)))
    assert np.all(np.diff([beat["t"] for beat in beats]) >= 0)


def test_the_window_losing_the_focus_releases_everything(desk, page):
    page.keyboard.down("KeyW")
    hears(desk, page, "KeyW")
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    hears(desk, page)
    page.keyboard.down("KeyW")  # auto-repeat of a key that is down still must not start it again
    page.wait_for_timeout(200)
    assert held(desk) == set()
    page.keyboard.up("KeyW")
    page.keyboard.down("KeyW")
    hears(desk, page, "KeyW")


def test_hiding_the_tab_releases_everything_and_says_so(desk, page):
    page.keyboard.down("KeyW")
    hears(desk, page, "KeyW")
    page.evaluate("""() => {
        Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    }""")
    eventually(lambda: desk.recorder.last["visible"] is False, page)
    assert held(desk) == set()
    start = len(desk.recorder.inputs)
    page.wait_for_timeout(500)
    assert len(desk.recorder.since(start)) >= 5  # a hidden page still says that it holds nothing


def test_closing_the_page_tells_the_robot(desk, page, browser):
    page.keyboard.down("KeyW")
    hears(desk, page, "KeyW")
    page.close()
    eventually(lambda: desk.recorder.losses)


def test_typing_in_a_field_never_reaches_the_robot(desk, page):
    page.keyboard.down("KeyW")
    hears(desk, page, "KeyW")
    page.focus("#yaw")
    hears(desk, page)
    page.keyboard.up("KeyW")
    start = len(desk.recorder.inputs)
    page.keyboard.type("90")
    page.keyboard.press("Backspace")
    page.keyboard.press("KeyW")
    page.wait_for_timeout(200)
    assert all(message["keys"] == [] for message in desk.recorder.since(start))
    page.keyboard.press("Enter")  # done with the field: the keyboard is the robot's again
    eventually(lambda: desk.recorder.last["settings"]["operator_yaw_deg"] == 9, page)
    page.keyboard.down("KeyS")
    hears(desk, page, "KeyS")


def test_an_open_dialogue_keeps_the_keys(desk, page):
    page.click("#qr-open")
    start = len(desk.recorder.inputs)
    page.keyboard.press("KeyW")
    page.wait_for_timeout(150)
    assert all(message["keys"] == [] for message in desk.recorder.since(start))
    page.keyboard.press("Escape")
    page.keyboard.down("KeyW")
    hears(desk, page, "KeyW")


def test_shortcuts_of_the_browser_are_not_for_the_robot(desk, page):
    page.keyboard.down("KeyW")
    hears(desk, page, "KeyW")
    page.keyboard.down("ControlLeft")
    hears(desk, page)
    start = len(desk.recorder.inputs)
    page.keyboard.press("KeyL")
    page.keyboard.up("ControlLeft")
    page.wait_for_timeout(150)
    assert all(message["keys"] == [] for message in desk.recorder.since(start))


def look_in_3d(page):
    """Headless browsers draw without a GPU, where the page does not begin with this view."""
    page.click("#tabs [data-look='3D view']")
    page.frame_locator("#view").locator("canvas").wait_for()


def test_without_a_gpu_the_page_begins_with_a_camera_and_loads_the_3d_view_when_asked(desk, page):
    assert page.is_hidden("#view")
    assert not page.get_attribute("#view", "src")
    look_in_3d(page)
    assert page.is_visible("#view")


def test_the_3d_view_never_takes_the_keyboard(desk, page):
    look_in_3d(page)
    frame = page.frame_locator("#view")
    frame.locator("canvas").click()
    view = eventually(lambda: next((f for f in page.frames if f.url.endswith("/view/")), None), page)
    page.keyboard.down("KeyW")
    hears(desk, page, "KeyW")
    page.keyboard.up("KeyW")
    hears(desk, page)
    assert view.evaluate("stolen") == []
    frame.locator("#field").click()  # a field within the view is a field
    page.keyboard.press("KeyD")
    page.wait_for_timeout(150)
    assert held(desk) == set()
    assert frame.locator("#field").input_value() == "d"


def test_the_3d_view_is_listened_to_again_after_it_was_loaded_anew(desk, page):
    look_in_3d(page)
    page.evaluate("document.getElementById('view').contentWindow.location.reload()")
    page.wait_for_timeout(500)
    page.frame_locator("#view").locator("canvas").click()
    page.keyboard.down("KeyA")
    hears(desk, page, "KeyA")


def test_keys_that_scroll_or_go_back_do_not(desk, page):
    page.set_viewport_size({"width": 700, "height": 500})  # so small that there is something to scroll
    for key in ("Space", "ArrowDown", "PageDown", "Backspace", "End"):
        page.keyboard.press(key)
    page.wait_for_timeout(200)
    assert page.evaluate("scrollY") == 0
    assert page.url.startswith(desk.url.split("?")[0])


def test_every_command_has_a_button(desk, page):
    desk.show("ready")
    page.click("[data-command=start]:enabled")
    desk.show("recording")
    for name in ("pause", "mark", "save", "discard", "undo"):
        page.click(f"[data-command={name}]:enabled")
    eventually(lambda: desk.recorder.commands == ["start", "pause", "mark", "save", "discard", "undo"], page)


def test_ending_the_session_is_asked_for_twice(desk, page):
    page.click("[data-command=stop]")
    page.click("#stop button[value=no]")
    page.wait_for_timeout(150)
    assert desk.recorder.commands == []
    page.click("[data-command=stop]")
    page.click("#stop button[value=yes]")
    eventually(lambda: desk.recorder.commands == ["stop"], page)


def test_rewinding_lasts_as_long_as_its_button_is_held(desk, page):
    desk.show("recording")
    button = page.locator("[data-command=rewind]:enabled")
    button.hover()
    page.mouse.down()
    eventually(lambda: desk.recorder.last["held"] == ["rewind"], page)
    desk.show("rewinding")
    page.wait_for_timeout(200)
    assert desk.recorder.last["held"] == ["rewind"]
    page.mouse.up()
    eventually(lambda: desk.recorder.last["held"] == [], page)


def test_a_clicked_button_gives_the_keyboard_back_to_the_robot(desk, page):
    desk.show("recording")
    page.click("[data-command=mark]:enabled")
    start = len(desk.recorder.inputs)
    page.keyboard.press("Space")
    eventually(lambda: any(m["keys"] == ["Space"] for m in desk.recorder.since(start)), page)
    assert desk.recorder.commands == ["mark"]


def test_a_button_reached_with_tab_is_pressed_by_key_and_not_the_robot(desk, page):
    desk.show("recording")
    page.wait_for_selector("[data-command=mark]:enabled")
    page.keyboard.press("Tab")
    page.focus("[data-command=mark]")
    start = len(desk.recorder.inputs)
    page.keyboard.press("Enter")
    eventually(lambda: desk.recorder.commands == ["mark"], page)
    assert all(message["keys"] == [] for message in desk.recorder.since(start))


def test_tab_drives_the_next_arm_and_with_shift_still_moves_the_focus(browser):
    with open_desk(arms=2) as desk:
        page = open_page(browser, desk.url)
        page.wait_for_selector("#bindings kbd >> text=Tab")
        page.keyboard.down("Tab")
        hears(desk, page, "Tab")
        page.keyboard.up("Tab")
        assert page.evaluate("document.activeElement === document.body")
        page.keyboard.press("Shift+Tab")
        assert page.evaluate("document.activeElement !== document.body")
        page.context.close()


def test_settings_travel_with_the_input_and_survive_a_reload(desk, page):
    page.select_option("#frame", "camera")
    page.select_option("#camera", "wrist")
    page.fill("#yaw", "180")
    page.keyboard.press("Enter")
    page.evaluate("speed.value = 0.5; speed.dispatchEvent(new Event('input'))")
    wanted = {"speed": 0.5, "command_frame": "camera", "operator_yaw_deg": 180, "camera": "wrist"}
    eventually(lambda: desk.recorder.last["settings"] == wanted, page, str(wanted))
    page.reload()
    start = len(desk.recorder.inputs)
    eventually(lambda: desk.recorder.since(start) and desk.recorder.last["settings"] == wanted, page, str(wanted))


def test_a_gamepad_is_read_and_its_nonsense_is_not_passed_on(desk, page):
    page.evaluate("""() => {
        window.pad = { id: 'Pad', index: 0, connected: true, mapping: 'standard',
                       buttons: [{ value: 1 }, { value: 0 }], axes: [0.5, NaN, 0, -1] };
        navigator.getGamepads = () => [null, window.pad];
        window.dispatchEvent(new Event('gamepadconnected'));
    }""")
    wanted = [{"id": "Pad", "buttons": [1, 0], "axes": [0.5, 0, 0, -1]}]
    eventually(lambda: desk.recorder.last["pads"] == wanted, page, str(wanted))
    page.evaluate("pad.axes = [0, 0, 0, 0]; pad.buttons = [{ value: 0 }, { value: 0 }]")
    eventually(lambda: desk.recorder.last["pads"][0]["axes"] == [0, 0, 0, 0], page)
    page.evaluate("navigator.getGamepads = () => []; window.dispatchEvent(new Event('gamepaddisconnected'))")
    eventually(lambda: desk.recorder.last["pads"] == [], page)


def test_a_watcher_does_not_drive_until_the_wheel_is_handed_over(desk, page, browser):
    other = open_page(browser, desk.url)
    eventually(lambda: "drives" in other.inner_text("#who"), other)
    assert other.get_attribute("body", "data-role") == "watcher"
    assert other.is_disabled("[data-command=start]")
    other.keyboard.down("KeyW")
    other.wait_for_timeout(200)
    assert held(desk) == set()
    other.keyboard.up("KeyW")
    page.click("text=Hand over")
    page.click("#give-list button")
    other.wait_for_selector('body[data-role="driver"]')
    page.wait_for_selector('body[data-role="watcher"]')
    other.keyboard.down("KeyS")
    hears(desk, other, "KeyS")
    other.click("text=Let go of the robot")
    page.click("text=Take the wheel")
    page.wait_for_selector('body[data-role="driver"]')
    other.context.close()


def test_a_lost_connection_is_shown_and_comes_back_by_itself(browser):
    token = "a-token-that-both-sessions-share"
    with open_desk(token=token) as first:
        page = open_page(browser, first.url)
        page.keyboard.down("KeyW")
        hears(first, page, "KeyW")
        port = first.address.port
    page.wait_for_selector("#lost:not([hidden])")
    assert "The session has ended" in page.inner_text("#lost")
    with open_desk(token=token, port=port) as second:
        page.wait_for_selector("#lost", state="hidden")
        eventually(lambda: second.recorder.inputs, page)
        assert all(message["keys"] == [] for message in second.recorder.inputs)  # W is down still, but was let go
        page.keyboard.up("KeyW")
        page.keyboard.down("KeyE")
        hears(second, page, "KeyE")
    page.context.close()


def test_a_cut_connection_is_shown(desk, page):
    page.evaluate("""() => {
        const real = WebSocket;
        window.WebSocket = class extends real { constructor() { super('ws://127.0.0.1:9/'); } };  // nobody is there
        window.WebSocket.OPEN = real.OPEN;
        real.prototype.send = function () { this.close(); };
    }""")
    page.wait_for_selector("#lost:not([hidden])")
    assert "robot stands still" in page.inner_text("#lost")
    eventually(lambda: desk.recorder.losses, page)


def test_a_silent_server_is_shown_to_the_operator(desk, page):
    page.evaluate("WebSocket.prototype.send = () => {}")  # what the page says gets lost, so nothing is answered either
    desk.silence()
    page.wait_for_selector("#lost:not([hidden])")
    assert "No answer" in page.inner_text("#lost")


@pytest.fixture
def phone(browser, desk):
    phone = open_page(browser, desk.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    yield phone
    phone.context.close()


def test_a_thumb_on_a_phone_is_the_stick_of_one_more_gamepad(desk, phone):
    box = phone.locator("[data-stick=left]").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    phone.mouse.move(x, y)
    phone.mouse.down()
    phone.mouse.move(x, y - box["height"])
    eventually(lambda: desk.recorder.last["pads"] and desk.recorder.last["pads"][0]["axes"][1] < -0.9, phone)
    pad = desk.recorder.last["pads"][0]
    assert (pad["id"], len(pad["buttons"]), len(pad["axes"])) == ("touch", 17, 4)
    phone.mouse.up()
    eventually(lambda: desk.recorder.last["pads"][0]["axes"] == [0, 0, 0, 0], phone)


@pytest.mark.parametrize(
    ("name", "lift", "button"), [("up", -1, None), ("down", 1, None), ("tilt", 0, 4), ("grip", 0, 5)]
)
def test_buttons_on_a_phone_are_those_of_a_gamepad(desk, phone, name, lift, button):
    phone.locator(f"[data-pad={name}]").hover()
    phone.mouse.down()
    pad = eventually(lambda: next(iter(desk.recorder.last["pads"]), None), phone)
    assert pad["buttons"] == [float(index == button) for index in range(17)]
    assert pad["axes"] == [0, 0, 0, lift]
    phone.mouse.up()
    eventually(lambda: not any(desk.recorder.last["pads"][0]["axes"] + desk.recorder.last["pads"][0]["buttons"]), phone)
