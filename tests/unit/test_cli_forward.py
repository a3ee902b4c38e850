"""`apprentice forward`: a SpaceMouse at one computer moves the hand of a recording on another, over a network."""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time

import pytest
from fake_hid import FakeSpaceMouse, build_library
from web_world import WELCOME, Ears

from apprentice.teleop.forward import command
from apprentice.teleop.sources.spacemouse import RemoteSpaceMouse
from apprentice.teleop.web.cfg import WebCfg
from apprentice.teleop.web.server import PageServer

# the operator's computer has neither
COMPUTER = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "isaaclab", "mujoco", "warp", "newton", "h5py", "viser"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Missing())
from apprentice.cli import main
main(sys.argv[1:])
"""


class Computer:
    """Runs the command as `apprentice record` prints it."""

    def __init__(self, typed, environment):
        program, *arguments = shlex.split(typed)
        assert program == "apprentice"
        run = [sys.executable, "-c", COMPUTER, *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "bufsize": 1}
        self.process = subprocess.Popen(run, env=environment, **pipes)
        self.said = []
        self.reader = threading.Thread(target=self.listen)
        self.reader.start()

    def listen(self):
        for line in self.process.stdout or ():
            self.said.append(line)

    def text(self):
        return "".join(self.said)

    def end(self, code, signal_number=None):
        if signal_number is not None:
            self.process.send_signal(signal_number)
        assert self.process.wait(30) == code, self.text()
        self.reader.join(10)
        return self.text()


def wait(condition, what, seconds=30.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited in vain until {what}"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lib")
    build_library(folder)
    return folder


@pytest.fixture
def devices(tmp_path):
    (tmp_path / "hid").mkdir()
    return tmp_path / "hid"


@pytest.fixture
def types(library, devices):
    """Type a command on the operator's computer."""
    computers = []

    def start(typed):
        environment = os.environ | {"FAKE_HID_DIR": str(devices), "LD_LIBRARY_PATH": str(library)}
        computers.append(Computer(typed, environment))
        return computers[-1]

    yield start
    for computer in computers:
        computer.process.kill()


@pytest.fixture
def puck():
    return RemoteSpaceMouse("arm")


@pytest.fixture
def serve(puck, tmp_path):
    servers = []

    def start(https):
        cfg = WebCfg(port=0, https=https, data_dir=tmp_path)
        servers.append(PageServer(cfg, {"page": Ears(), "spacemouse": puck}, WELCOME))
        return servers[-1].start()

    yield start
    for server in servers:
        server.stop()


def twist(puck):
    frame = puck.latest()
    return list(frame.hands["arm"].twist) if frame and frame.hands else []


def is_connected(puck):
    return puck.devices()[0].connected


@pytest.mark.parametrize("https", ["never", "always"])
def test_the_printed_command_brings_the_spacemouse_over_the_network(https, serve, types, puck, devices):
    address = serve(https)
    device = FakeSpaceMouse(devices)
    computer = types(command(address))
    wait(lambda: is_connected(puck), "it is connected")
    device.push(0, -300, 0)
    wait(lambda: twist(puck)[:1] > [0.0], "the hand moves forward")
    device.push(0, 0, 0)
    wait(lambda: not any(twist(puck)), "it rests")
    device.unplug()
    wait(lambda: not is_connected(puck), "the recording notices that it was unplugged")
    again = FakeSpaceMouse(devices, "256f-c635-b")
    wait(lambda: is_connected(puck), "it is back")
    again.push(300, 0, 0)
    wait(lambda: twist(puck)[1:2] < [0.0], "the hand moves to the right")
    said = computer.end(0, signal.SIGINT)
    assert f"connected to 127.0.0.1:{address.port}" in said
    assert said.count("SpaceMouse: ") >= 3 and "Stopped." in said and "Traceback" not in said
    wait(lambda: not is_connected(puck), "the recording notices the end")


def test_a_server_that_is_not_known_is_not_trusted(serve, types, devices):
    address = serve("always")
    FakeSpaceMouse(devices)
    without = types(f"apprentice forward '{address.urls[0]}'").end(1)
    assert "certificate" in without and "--fingerprint" in without and "Traceback" not in without
    wrong = types(f"apprentice forward '{address.urls[0]}' --fingerprint {'ab' * 32}").end(1)
    assert address.fingerprint in wrong and "something else answers" in wrong and "Traceback" not in wrong


def test_an_address_of_https_where_http_is_spoken_is_told(serve, types):
    address = serve("never")
    said = types(f"apprentice forward '{address.urls[0].replace('http:', 'https:')}'").end(1)
    assert "to speak https" in said and "Traceback" not in said


def test_a_device_that_may_not_be_read_is_told_and_nothing_is_sent(serve, types, puck, devices):
    address = serve("never")
    device = FakeSpaceMouse(devices, mode=0)
    computer = types(f"{command(address)} --device spacemouse:{device.path}")
    wait(lambda: device.path.name in computer.text(), "it is told")
    assert not is_connected(puck)
    computer.end(0, signal.SIGINT)


@pytest.mark.parametrize("device", ["gamepad", "spacemouse:", "spacemouse@remote"])
def test_other_devices_are_not_forwarded(device, types):
    said = types(f"apprentice forward http://server:8765/?token=a --device {device}").end(1)
    assert "spacemouse:PATH" in said and "Traceback" not in said
