"""What an operator does on the page is what the robot is told, and a page that is gone moves nothing."""

import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apprentice.errors import UserError
from apprentice.teleop.bindings import Bindings
from apprentice.teleop.frame import REWIND, Command, CommandFrame, problem
from apprentice.teleop.remote_clock import RemoteClock
from apprentice.teleop.sources.gamepad import dead_zone
from apprentice.teleop.sources.page import PageSource

relaxed = settings(max_examples=50)

CONFIG = Path(__file__).parents[2] / "config" / "teleop"


class Page:
    """A page at its driver's hands."""

    def __init__(self, eefs=("arm",), **options):
        self.source = PageSource(eefs, **options)
        self.seq = 0

    def send(self, keys=(), *, t=None, arrived=None, **rest):
        self.seq += 1
        now = time.monotonic()
        message = {"type": "input", "seq": self.seq, "t": 1000 * (now if t is None else t), "visible": True}
        message |= {"keys": list(keys), "held": [], "pads": [], "xr": None, "settings": {}} | rest
        self.source.receive(message, now if arrived is None else arrived)
        return self.source.latest()


def hand(side="right", p=(0.0, 1.0, 0.0), q=(0.0, 0.0, 0.0, 1.0), **rest):
    given = {"p": list(p), "q": list(q), "tracked": True, "source": "controller", "trigger": 0, "squeeze": 0}
    return {side: given | {"buttons": [0] * 6, "axes": [0, 0]} | rest}


def xr(*hands, head=None):
    return {"head": head, "hands": {side: given for one in hands for side, given in one.items()}}


def pad(axes=(0, 0, 0, 0), **pressed):
    buttons = [0.0] * 17
    for name, value in pressed.items():
        buttons[int(name[1:])] = value
    return {"id": "Fake Pad", "buttons": buttons, "axes": list(axes)}


# keyboard


@pytest.mark.parametrize(
    ("key", "place", "sign"),
    [
        ("KeyW", 0, 1), ("KeyS", 0, -1), ("KeyA", 1, 1), ("KeyD", 1, -1), ("KeyQ", 2, 1), ("KeyE", 2, -1),
        ("KeyZ", 3, 1), ("KeyX", 3, -1), ("KeyT", 4, 1), ("KeyG", 4, -1), ("KeyC", 5, 1), ("KeyV", 5, -1),
    ],
)  # fmt: skip
def test_keys_move_the_hand_as_in_isaac_lab(key, place, sign):
    twist = Page().send([key]).hands["arm"].twist
    assert sign * twist[place] > 0
    assert np.count_nonzero(twist) == 1


@relaxed
@given(st.lists(st.sets(st.sampled_from(["KeyW", "KeyS", "KeyA", "KeyC", "KeyK"])), max_size=12))
def test_nothing_moves_once_all_keys_are_up_whatever_was_held_in_what_order(steps):
    page = Page()
    for number, keys in enumerate(steps):
        page.send(keys)
        if number % 3 == 2:
            page.source.sync({"arm": 0.0})
    assert not page.send([]).hands["arm"].twist.any()


def test_a_key_that_is_down_when_an_episode_begins_moves_only_when_pressed_anew():
    page = Page()
    page.send(["KeyW", "KeyQ"])
    page.source.sync({"arm": 0.0})
    assert not page.source.latest().hands["arm"].twist.any()
    assert not page.send(["KeyW"]).hands["arm"].twist.any()
    assert "W" in page.source.devices()[0].detail
    page.send([])
    assert page.send(["KeyW"]).hands["arm"].twist[0] > 0


def test_opposite_keys_cancel_and_shift_is_slow_and_the_speed_setting_scales():
    page = Page()
    full = page.send(["KeyW"]).hands["arm"].twist[0]
    assert not page.send(["KeyW", "KeyS"]).hands["arm"].twist.any()
    assert page.send(["KeyW", "ShiftLeft"]).hands["arm"].twist[0] == pytest.approx(full * Bindings().fine_scale)
    assert page.send(["KeyW"], settings={"speed": 2.0}).hands["arm"].twist[0] == pytest.approx(2 * full)


def test_the_gripper_toggles_once_per_press_and_counts_on_from_how_it_is():
    page = Page()
    grips = [page.send(keys).hands["arm"].grip for keys in (["KeyK"], ["KeyK"], [], ["KeyK"], [])]
    assert grips == [1, 1, 1, 0, 0]
    page.source.sync({"arm": 1.0})
    assert page.source.latest().hands["arm"].grip == 1
    assert page.send(["KeyK"]).hands["arm"].grip == 0


def test_tab_drives_the_next_arm_and_each_keeps_its_grip():
    page = Page(("left", "right"))
    page.send(["KeyK"])
    page.send(["Tab"])
    frame = page.send(["KeyW"])
    assert frame.hands["left"].grip == 1 and frame.hands["right"].grip == 0
    assert not frame.hands["left"].twist.any() and frame.hands["right"].twist[0] > 0
    assert page.source.devices()[0].detail == "drives right"


def test_commands_are_given_once_per_press_and_rewinding_lasts_while_held():
    page = Page()
    keys = {"Enter": "start", "Space": "pause", "KeyN": "save", "KeyL": "discard", "KeyU": "undo", "KeyM": "mark"}
    for key, name in keys.items():
        assert page.send([key]).events == (Command(name),)
        assert page.send([key]).events == ()
        page.send([])
    assert page.send(["Backspace"]).buttons == {REWIND}
    assert page.send([], held=["rewind"]).buttons == {REWIND}
    assert page.send([]).buttons == frozenset()


def test_commands_of_a_click_arrive_once_and_in_order_whatever_else_arrives():
    page = Page()
    page.send([])
    for name in ("start", "pause", "stop"):
        page.source.receive({"type": "command", "name": name}, time.monotonic())
        page.source.receive({"type": "input", "t": 1000 * time.monotonic()}, time.monotonic())
    assert page.source.latest().events == (Command.START, Command.PAUSE, Command.STOP)
    assert page.source.latest().events == ()


def test_a_hidden_page_holds_nothing():
    frame = Page().send(["KeyW", "Backspace"], visible=False, held=["rewind"], pads=[pad((1, 1, 1, 1))])
    assert not frame.hands["arm"].twist.any() and frame.buttons == frozenset()


# being heard


def test_a_page_that_is_gone_has_released_everything_at_once_but_its_last_words_count():
    page = Page()
    page.send(["KeyW", "Backspace"])
    page.source.receive({"type": "command", "name": "save"}, time.monotonic())
    page.source.lost("closed")
    frame = page.source.latest()
    assert frame.events == (Command.SAVE,)
    assert time.monotonic() - frame.time_s > 0.2 and not frame.hands and not frame.buttons
    assert [(device.connected, device.detail) for device in page.source.devices()] == [(False, "closed")] * 3
    back = page.send([])
    assert time.monotonic() - back.time_s < 0.2


def test_before_the_page_is_open_there_is_nothing():
    source = PageSource(["arm"])
    assert source.latest() is None
    assert not any(device.connected for device in source.devices())


def test_a_message_that_was_held_up_is_as_old_as_when_it_was_sent():
    page = Page()
    now = time.monotonic()
    for step in range(10):  # the page's clock is 5,000 s ahead, messages take 3 to 4 ms
        page.send([], t=now + 5000 + step / 20, arrived=now + step / 20 + 0.003 + step % 2 / 1000)
    frame = page.send(["KeyW"], t=now + 5000.5, arrived=now + 1.003)
    assert frame.time_s == pytest.approx(now + 0.503, abs=2e-3)
    # and another page, whose clock began anew, is heard at once
    assert page.send([], t=3.0, arrived=now + 1.1).time_s == pytest.approx(now + 1.1)


@pytest.mark.parametrize("asked", ["key", "click", "pad"])
def test_what_was_held_up_on_its_way_starts_no_robot_but_stops_it(asked):
    page = Page()
    now = time.monotonic()
    page.send([], t=now, arrived=now)

    def ask(name, key, t, arrived):
        pads = [pad(b0=1)] if asked == "pad" else []
        events = page.send([key] if asked == "key" else [], t=t, arrived=arrived, pads=pads).events
        if asked == "click":
            page.source.receive({"type": "command", "name": name}, arrived)
        return events + page.send([], t=t, arrived=arrived).events

    assert ask("start", "Enter", now + 0.1, now + 0.4) == ((Command.PAUSE,) if asked == "pad" else ())
    assert ask("pause", "Space", now + 0.2, now + 0.5) == (Command.PAUSE,)
    assert ask("start", "Enter", now + 0.6, now + 0.6) in ((Command.START,), (Command.TOGGLE,))


@relaxed
@given(
    ahead=st.floats(-1e5, 1e5),
    delays=st.lists(st.floats(0.001, 1.0), min_size=1, max_size=30),
    drift=st.floats(-2e-4, 2e-4),
)
def test_time_stamps_are_never_later_than_the_arrival_nor_much_earlier_than_the_sending(ahead, delays, drift):
    clock = RemoteClock()
    for step, delay in enumerate(delays):
        sent = step * 1.0
        found = clock.local((1 + drift) * sent + ahead, sent + delay)
        assert found <= sent + delay + 1e-9
        assert found >= sent - 0.05


@relaxed
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(["seq", "t", "visible", "keys", "held", "pads", "xr", "settings", "type"]),
)
def test_a_message_either_is_understood_or_refused_in_words_and_changes_nothing(nonsense, where):
    page = Page()
    before = page.send(["KeyW"])
    message = {"type": "input", "t": 1000 * time.monotonic(), "keys": [], where: nonsense}
    try:
        page.source.receive(message, time.monotonic())
    except ValueError as error:
        assert "Expected" in str(error) or "expected" in str(error)
        assert page.source.latest() is not None and page.source.latest().hands["arm"].twist[0] == 0.25
        assert page.source.latest().time_s == before.time_s
    else:
        assert problem(page.source.latest()) is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"pads": [{"id": "x", "axes": [math.nan], "buttons": []}]}, "pads.axes"),
        ({"settings": {"command_frame": "moon"}}, "command_frame"),
        ({"held": ["fire"]}, "fire"),
        ({"keys": ["a"] * 1000}, "keys"),
        ({"xr": xr(hand(q=(0, 0, 0, 0)))}, "quaternion"),
        ({"xr": xr(hand(p=(math.inf, 0, 0)))}, r"right\.p"),
        ({"xr": xr(hand("middle"))}, "middle"),
        ({"t": None}, "t to be a number"),
        ({"type": "dance"}, "dance"),
        ({"type": "command", "name": "explode"}, "explode"),
    ],
)
def test_what_is_wrong_with_a_message_is_named(change, named):
    with pytest.raises(ValueError, match=named):
        PageSource(["arm"]).receive({"type": "input", "t": 0} | change, 0.0)


def test_settings_say_along_whose_axes_the_hand_moves():
    page = Page(camera_yaws={"front": math.pi})
    frame = page.send([], settings={"command_frame": "world", "operator_yaw_deg": 90})
    assert frame.command_frame is CommandFrame.WORLD and frame.operator_yaw_rad == pytest.approx(math.pi / 2)
    frame = page.send([], settings={"command_frame": "camera", "camera": "front", "operator_yaw_deg": 90})
    assert frame.command_frame is CommandFrame.CAMERA and frame.operator_yaw_rad == pytest.approx(math.pi)


# gamepad


def test_sticks_move_the_hand_and_bumper_and_trigger_change_how():
    page = Page()
    twist = lambda *axes, **buttons: page.send(pads=[pad(axes, **buttons)]).hands["arm"].twist  # noqa: E731
    assert np.argmax(twist(0, -1, 0, 0)) == 0 and np.argmax(twist(-1, 0, 0, 0)) == 1
    assert np.argmax(twist(0, 0, 0, -1)) == 2 and np.argmax(twist(0, 0, -1, 0)) == 5
    assert np.argmax(twist(0, -1, 0, 0, b4=1)) == 4 and np.argmax(twist(1, 0, 0, 0, b4=1)) == 3
    assert np.linalg.norm(twist(0, -1, 0, 0, b6=1)) < 0.5 * np.linalg.norm(twist(0, -1, 0, 0))
    assert not twist(0.08, -0.08, 0.05, 0).any()


def test_pad_buttons_are_commands_once_and_the_pad_shares_the_grip_with_the_keys():
    page = Page()
    page.send(pads=[pad()])
    assert page.send(pads=[pad(b0=1)]).events == (Command.TOGGLE,)
    assert page.send(pads=[pad(b0=1, b1=1)]).buttons == {REWIND}
    assert page.send(pads=[pad(b5=1)]).hands["arm"].grip == 1
    assert page.send(["KeyK"], pads=[pad(b5=1)]).hands["arm"].grip == 0
    page.send(pads=[pad()])
    assert page.send(pads=[pad(b7=1)]).hands["arm"].grip == 1


@relaxed
@given(st.floats(0, 1), st.floats(-np.pi, np.pi), st.floats(0.01, 0.5))
def test_a_stick_keeps_its_direction_and_begins_at_zero(length, angle, rest):
    direction = np.array((np.cos(angle), np.sin(angle)))
    out = dead_zone(length * direction, rest)
    assert np.linalg.norm(out) <= 1 + 1e-12
    np.testing.assert_allclose(out, np.linalg.norm(out) * direction, atol=1e-9)
    assert np.linalg.norm(out) == pytest.approx(max(0.0, (length - rest) / (1 - rest)), abs=1e-9)


# XR


def test_webxr_axes_become_the_robots():
    page = Page()
    start = page.send(xr=xr(hand(squeeze=1))).hands["arm"]
    for move, expected in (((0, 1, -0.1), (0.1, 0, 0)), ((-0.1, 1, 0), (0, 0.1, 0)), ((0, 1.1, 0), (0, 0, 0.1))):
        pose = page.send(xr=xr(hand(p=move, squeeze=1))).hands["arm"].pose
        np.testing.assert_allclose(pose[:3, 3] - start.pose[:3, 3], expected, atol=1e-12)
    half = math.sqrt(0.5)
    turned = page.send(xr=xr(hand(q=(0, half, 0, half), squeeze=1))).hands["arm"].pose  # about WebXR's up
    np.testing.assert_allclose(turned[:3, :3], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)


def test_forward_is_where_the_operator_looks_when_entering():
    half = math.sqrt(0.5)
    head = {"p": [0, 1.6, 0], "q": [0, -half, 0, half]}  # looks along WebXR's +x
    page = Page()
    start = page.send(xr=xr(hand(), head=head)).hands["arm"].pose
    ahead = page.send(xr=xr(hand(p=(0.1, 1, 0)), head={"p": [0, 1.6, 0], "q": [0, 0, 0, 1]})).hands["arm"].pose
    np.testing.assert_allclose(ahead[:3, 3] - start[:3, 3], (0.1, 0, 0), atol=1e-12)


def test_after_a_pause_the_gripper_stays_closed_until_the_trigger_was_pulled_and_released():
    page = Page()
    pulled = lambda trigger: page.send(xr=xr(hand(trigger=trigger))).hands["arm"].grip  # noqa: E731
    assert [pulled(trigger) for trigger in (0, 1, 0)] == [0, 1, 0]
    page.source.sync({"arm": 1.0})  # rewound to when it held something
    assert [pulled(trigger) for trigger in (0, 0.2, 0.4, 0.7, 1, 0.8, 0)] == [1, 1, 1, 0.7, 1, 0.8, 0]
    page.source.sync({"arm": 1.0})
    assert page.send(["KeyK"], xr=xr(hand(trigger=0))).hands["arm"].grip == 0, "a key opens it at once"
    pulled(1)
    page.source.sync({"arm": 0.0})
    assert [pulled(trigger) for trigger in (1, 0.6, 0.3, 0, 1)] == [0, 0, 0.3, 0, 1]


def test_a_squeezed_controller_engages_and_its_trigger_closes_the_gripper():
    page = Page()
    seen = [
        (h.engaged, h.grip)
        for squeeze, trigger in ((0, 0), (0.5, 0), (0.7, 0.3), (0.5, 1), (0.3, 1), (0, 0))
        if (h := page.send(xr=xr(hand(squeeze=squeeze, trigger=trigger))).hands["arm"])
    ]
    assert [engaged for engaged, _ in seen] == [False, False, True, True, False, False]
    assert [grip for _, grip in seen] == [0, 0, 0.3, 1, 1, 0]


def test_a_bare_hand_is_engaged_while_seen_and_pinching_closes():
    page = Page()
    joints = lambda apart: {"thumb-tip": [0, 1, 0], "index-finger-tip": [apart, 1, 0]}  # noqa: E731
    grips = []
    for apart in (0.08, 0.04, 0.01):
        seen = page.send(xr=xr(hand(source="hand", joints=joints(apart)))).hands["arm"]
        assert seen.engaged and seen.tracked
        grips.append(seen.grip)
    assert grips[0] == 0 and 0.3 < grips[1] < 0.7 and grips[2] == 1


def test_a_hand_out_of_sight_is_lost_until_the_operator_goes_on_without_it():
    page = Page()
    page.send(xr=xr(hand(squeeze=1)))
    assert not page.send(xr=xr(hand(squeeze=1, tracked=False))).hands["arm"].tracked
    assert not page.send(xr=xr()).hands["arm"].tracked
    frame = page.send(["Enter"], xr=xr())
    assert problem(frame) is None
    assert page.send(["KeyW"], xr=xr()).hands["arm"].twist[0] > 0
    assert page.send(xr=xr(hand(squeeze=1))).hands["arm"].engaged
    assert problem(page.send(xr=xr())) is not None


def test_hands_drive_the_arms_that_bear_their_sides_and_a_single_arm_takes_the_right_one():
    page = Page(("robot_left", "robot_right"))
    hands = page.send(xr=xr(hand("left", squeeze=1), hand("right"))).hands
    assert hands["robot_left"].engaged and not hands["robot_right"].engaged
    assert Page().send(xr=xr(hand("left"), hand("right", squeeze=1))).hands["arm"].engaged
    assert Page().send(xr=xr(hand("left", squeeze=1))).hands["arm"].engaged


def test_controller_buttons_are_commands():
    page = Page()
    page.send(xr=xr(hand()))
    press = lambda place: page.send(xr=xr(hand(buttons=[float(i == place) for i in range(6)])))  # noqa: E731
    assert press(4).events == (Command.TOGGLE,)
    assert press(5).buttons == {REWIND}
    assert press(3).events == (Command.SAVE,)


# walking


def test_while_its_key_is_held_the_keys_walk_and_turn_instead_of_moving_the_hand():
    page = Page(walks=True)
    assert page.send(["KeyW"]).base.tolist() == [0, 0, 0]
    for key, place, sign in (("KeyW", 0, 1), ("KeyS", 0, -1), ("KeyA", 1, 1), ("KeyD", 1, -1), ("KeyC", 2, 1)):
        frame = page.send(["KeyB", key])
        assert sign * frame.base[place] > 0 and np.count_nonzero(frame.base) == 1
        assert not frame.hands["arm"].twist.any()
        page.send([])
    full = page.send(["KeyB", "KeyW"]).base[0]
    assert full == Bindings().walk_speed_m_s
    assert page.send(["KeyB", "KeyW", "ShiftLeft"]).base[0] == pytest.approx(full * Bindings().fine_scale)


def test_a_robot_that_stands_is_driven_as_ever():
    page = Page()
    frame = page.send(["KeyB", "KeyW"])
    assert frame.base is None and frame.hands["arm"].twist[0] > 0
    pages = {walks: Page(walks=walks).source.table() for walks in (False, True)}
    told = {walks: any("walk" in row["does"] for row in rows) for walks, rows in pages.items()}
    assert told == {False: False, True: True}


def test_a_gamepad_walks_after_d_pad_up_and_moves_the_hand_again_after_down():
    page = Page(devices=("gamepad",), walks=True)
    page.send(pads=[pad(_12=1.0)])
    frame = page.send(pads=[pad((0, -1, 1, 0))])
    assert frame.base[0] > 0 > frame.base[2] and not frame.hands["arm"].twist.any()
    page.send(pads=[pad(_13=1.0)])
    frame = page.send(pads=[pad((0, -1, 0, 0))])
    assert not frame.base.any() and frame.hands["arm"].twist[0] > 0


def test_sticks_of_controllers_walk_and_bare_hands_leave_it_to_the_robot():
    page = Page(devices=("xr",), walks=True)
    frame = page.send(xr=xr(hand("left", axes=[0, 0, 0, -1]), hand("right", axes=[0, 0, -1, 0])))
    assert frame.base[0] > 0 and frame.base[2] > 0 and frame.base[1] == 0
    assert page.send(xr=xr(hand("right", source="hand"))).base is None


# bindings


def test_the_file_in_config_is_the_defaults():
    assert Bindings.load(CONFIG / "keyboard.yaml") == Bindings() == Bindings.load(None)


def test_every_action_stands_in_the_table_and_every_key_has_a_name():
    bindings = Bindings(forward="ArrowUp", back="ArrowDown", save="Numpad5", mark="ControlRight")
    text = " ".join(row["keys"] for row in bindings.table(arms=2))
    assert len(text.replace("/", " ").split()) >= len(bindings.keys())
    assert "Arrow Up / Arrow Down" in text and "Numpad 5" in text and "right Control" in text
    assert any(row["does"] == "next arm" for row in bindings.table(arms=2))
    assert all(row["does"] != "next arm" for row in bindings.table())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("jump: KeyJ", "jump"),
        ("forward: KeyÄ", "forward.*KeyÄ"),
        ("forward: w", '"w"'),
        ("forward: 7", "forward.*7"),
        ("save: KeyW", "forward and save on KeyW"),
        ("speed_m_s: fast", "speed_m_s.*fast"),
        ("speed_m_s: -1", "speed_m_s.*-1"),
        ("- KeyW", "KeyW"),
        ("a: [", "YAML"),
    ],
)
def test_a_wrong_bindings_file_is_refused_by_name_and_reason(tmp_path, text, named):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=named) as caught:
        Bindings.load(path)
    assert "mine.yaml" in str(caught.value)
