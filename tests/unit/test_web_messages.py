"""What clients may say, and that nothing else gets through."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apprentice.teleop.web.messages import Control, DeviceReading, Drive, Hello, Malformed, Ping, parse

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
types = st.sampled_from(["hello", "input", "command", "device", "control", "ping", "welcome", ""])
fields = st.sampled_from(["name", "kind", "device", "seq", "t", "ask", "to", "twist"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type":"hello","name":"Chrome","kind":"page"}', Hello(name="Chrome", kind="page")),
        ('{"type":"hello","name":"Quest","kind":"xr"}', Hello(name="Quest", kind="xr")),
        (
            '{"type":"hello","name":"laptop","kind":"device","device":"spacemouse"}',
            Hello(name="laptop", kind="device", device="spacemouse"),
        ),
        ('{"type":"control","ask":"take"}', Control(ask="take")),
        ('{"type":"control","ask":"give","to":"c2"}', Control(ask="give", to="c2")),
        ('{"type":"ping","t":12.5}', Ping(t=12.5)),
    ],
)
def test_what_clients_say_is_understood(text, message):
    assert parse(text) == message


def test_inputs_commands_and_devices_are_passed_on_as_they_are():
    for body in ({"type": "input", "seq": 0, "t": 1.5, "keys": ["KeyW"]}, {"type": "command", "name": "undo"}):
        assert parse(json.dumps(body)) == Drive(body=body)
    body = {"type": "device", "device": "left", "seq": 3, "t": 2, "twist": [0.5] * 6}
    assert parse(json.dumps(body)) == DeviceReading(device="left", body=body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected JSON"),
        ("[1]", "JSON object"),
        ("[" * 60_000, "expected JSON"),
        ('{"type":"input"}', "seq"),
        ('{"type":"input","seq":-1,"t":0}', "seq"),
        ('{"type":"input","seq":1.0,"t":0}', "seq"),
        ('{"type":"input","seq":true,"t":0}', "seq"),
        ('{"type":"input","seq":1,"t":"now"}', "number as t"),
        ('{"type":"input","seq":1,"t":0,"x":Infinity}', "finite"),
        ('{"type":"input","seq":1,"t":0,"x":1e999}', "finite"),
        ('{"type":"input","seq":1,"t":0,"x":' + "9" * 5000 + "}", "digits"),
        ('{"type":"command","name":"fly"}', "start, pause"),
        ('{"type":"control","ask":"give"}', "text as to"),
        ('{"type":"control","ask":"steal"}', "take, release, give"),
        ('{"type":"hello","name":"x","kind":"robot"}', "page, xr, device"),
        ('{"type":"hello","name":"x","kind":"device"}', "text as device"),
        ('{"type":"hello","name":"\\u0000","kind":"page"}', "readable"),
        ('{"type":["input"]}', "message of type"),
    ],
)
def test_everything_else_is_refused_with_what_was_expected(text, expected):
    with pytest.raises(Malformed, match=expected):
        parse(text)


@given(st.text() | json_values.map(json.dumps))
def test_any_text_is_either_understood_or_malformed(text):
    try:
        parse(text)
    except Malformed as error:
        assert str(error)


@given(types, st.dictionaries(fields, json_values))
def test_nothing_infinite_reaches_a_receiver(kind, body):
    try:
        message = parse(json.dumps(body | {"type": kind}))
    except Malformed:
        return
    if isinstance(message, Drive | DeviceReading):
        assert finite(message.body)


@given(st.text(min_size=1))
def test_names_are_short_and_can_be_printed(name):
    try:
        message = parse(json.dumps({"type": "hello", "name": name, "kind": "page"}))
    except Malformed:
        return
    assert isinstance(message, Hello)
    assert message.name.isprintable()
    assert 0 < len(message.name) <= 80


def finite(value):
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)
