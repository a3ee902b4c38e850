"""A forwarded SpaceMouse arrives at the page's server, and goes on by itself when the connection was lost."""

import socket
import threading
import time

import numpy as np
import pytest
from web_world import WELCOME, Ears

from apprentice.errors import UserError
from apprentice.teleop import forward as forwarding
from apprentice.teleop.forward import command, forward, socket_address
from apprentice.teleop.sources.messages import parse_puck
from apprentice.teleop.sources.spacemouse_hid import Reading
from apprentice.teleop.web.cfg import Address, WebCfg
from apprentice.teleop.web.server import PageServer


class Cap:
    """In the place of the hardware: a cap that is pushed forward."""

    detail = "Fake SpaceMouse"
    axes, buttons = (1.0, 0, 0, 0, 0, 0), (0, 0)

    def __init__(self, path):
        assert path == "/dev/hidraw7"

    def read(self):
        threading.Event().wait(0.002)
        return Reading(time_s=time.monotonic(), axes=np.array(Cap.axes, dtype=float), buttons=Cap.buttons)

    def close(self):
        pass


class Network:
    """Between the operator's computer and the server, until it breaks down."""

    def __init__(self, port):
        self._port, self._open, self._listening = port, [], socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def break_down(self):
        """Everything that is connected is cut off; new connections are possible."""
        while self._open:
            # both ends learn of it, as with a cable they would after some seconds
            self._open.pop().shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listening.close()
        self.break_down()

    def _accept(self):
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass_on(source, sink):
        try:
            while data := source.recv(4096):
                sink.sendall(data)
        except OSError:
            pass  # it broke down


class Forwarding:
    """`forward` in a thread of its own, and what it reports."""

    def __init__(self, url):
        self.said, self.stop, self.error = [], threading.Event(), None
        self.thread = threading.Thread(target=self.run, args=(url,))
        self.thread.start()

    def run(self, url):
        try:
            forward(url, "/dev/hidraw7", report=self.said.append, stop=self.stop)
        except UserError as error:
            self.error = error

    def end(self):
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


def wait(condition, what, seconds=15.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited in vain until {what}"
        time.sleep(0.005)


@pytest.fixture
def ears():
    return Ears()


@pytest.fixture
def serve(ears, monkeypatch):
    monkeypatch.setattr(forwarding, "SpaceMouseReader", Cap)
    monkeypatch.setattr(forwarding, "require_library", lambda: None)
    monkeypatch.setattr(forwarding, "RETRY_S", 0.05)
    servers = []

    def start(receivers=None):
        servers.append(PageServer(WebCfg(port=0), receivers or {"page": Ears(), "spacemouse": ears}, WELCOME))
        return servers[-1], servers[-1].start()

    yield start
    for server in servers:
        server.stop()


def test_readings_arrive_in_order_and_as_they_were(serve, ears):
    _, address = serve()
    client = Forwarding(address.urls[0])
    wait(lambda: len(ears.heard) > 8, "some have arrived")
    client.end()
    assert [message["seq"] for message in ears.heard] == list(range(1, len(ears.heard) + 1))
    assert all(parse_puck(message).axes.tolist() == [1, 0, 0, 0, 0, 0] for message in ears.heard)
    times = [message["t"] for message in ears.heard]
    assert times == sorted(times)
    assert client.said == [f"connected to 127.0.0.1:{address.port}", "SpaceMouse: Fake SpaceMouse"]
    wait(lambda: ears.losses, "the server knows that it is gone")


def test_after_the_network_broke_down_it_goes_on_and_says_so_once(serve, ears):
    _, address = serve()
    network = Network(address.port)
    client = Forwarding(address.urls[0].replace(str(address.port), str(network.port)))
    wait(lambda: ears.heard, "the first one has arrived")
    network.break_down()
    wait(lambda: ears.losses, "the server has lost it")
    before = len(ears.heard)
    wait(lambda: len(ears.heard) > before + 3, "it is heard again")
    client.end()
    network.close()
    server = [text for text in client.said if not text.startswith("SpaceMouse")]
    assert [text.split(" ")[0] for text in server] == ["connected", "disconnected", "connected"]


def test_the_end_of_the_session_is_the_end_of_forwarding(serve, ears):
    server, address = serve()
    client = Forwarding(address.urls[0])
    wait(lambda: ears.heard, "the first one has arrived")
    server.stop()
    client.thread.join(10)
    assert not client.thread.is_alive() and client.error is None
    assert client.said[-1] == "the session has ended"


def test_a_session_that_listens_to_no_spacemouse_says_so_once(serve):
    _, address = serve({"page": Ears()})
    client = Forwarding(address.urls[0])
    wait(lambda: client.said, "it says something")
    time.sleep(0.3)
    client.end()
    assert len(client.said) == 1 and "listens to none" in client.said[0]


def test_a_second_spacemouse_waits_until_the_first_one_is_gone(serve, ears):
    _, address = serve()
    first = Forwarding(address.urls[0])
    wait(lambda: ears.heard, "the first one has arrived")
    second = Forwarding(address.urls[0])
    wait(lambda: any("connected already" in text for text in second.said), "the second is told why")
    first.end()
    wait(lambda: any(text.startswith("connected") for text in second.said), "the second is let in")
    second.end()


def test_without_a_server_it_waits_for_one(serve, ears):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    client = Forwarding(f"http://127.0.0.1:{port}/?token=a")
    wait(lambda: client.said, "it says that there is none")
    time.sleep(0.3)
    client.end()
    assert len(client.said) == 1 and "no connection" in client.said[0]


def test_a_wrong_token_ends_it_with_what_to_do(serve):
    _, address = serve()
    with pytest.raises(UserError, match=r"token.*401"):
        forward(f"http://127.0.0.1:{address.port}/?token=wrong", "/dev/hidraw7")


@pytest.mark.parametrize("url", ["server:8080", "http://server:8080/", "ftp://server/?token=a", ""])
def test_an_address_that_is_none_of_a_page_is_refused(url):
    with pytest.raises(UserError, match="address of the page"):
        socket_address(url)


def test_the_socket_has_the_pages_host_and_token():
    assert socket_address("https://server:8443/?token=a-b") == "wss://server:8443/ws?token=a-b"
    assert socket_address("http://[fd00::1]:80/xr?token=a") == "ws://[fd00::1]:80/ws?token=a"


@pytest.mark.parametrize("fingerprint", ["abc", "xy" * 32, "ab" * 31])
def test_a_fingerprint_that_is_none_is_refused(fingerprint):
    with pytest.raises(UserError, match="64 hexadecimal digits"):
        forward("https://server:8443/?token=a", fingerprint=fingerprint)


def test_a_fingerprint_is_of_no_use_without_https():
    with pytest.raises(UserError, match="https"):
        forward("http://server:8443/?token=a", fingerprint="ab" * 32)


def test_the_command_to_type_elsewhere_takes_the_address_for_others_and_the_fingerprint():
    about = {"host": "0.0.0.0", "port": 1, "token": "t", "urls": ("https://localhost:1/?token=t",), "ca": None}
    shared = Address(**about, share="https://10.0.0.5:1/?token=t", fingerprint="ab")
    assert command(shared) == "apprentice forward 'https://10.0.0.5:1/?token=t' --fingerprint ab"
    tunnelled = Address(**about, share=None, fingerprint=None)
    assert command(tunnelled) == "apprentice forward 'https://localhost:1/?token=t'"


def test_a_released_cap_and_a_pressed_button_are_sent_at_once():
    at = lambda time_s, x, buttons=(0,): Reading(time_s=time_s, axes=np.array((x, 0, 0, 0, 0, 0.0)), buttons=buttons)  # noqa: E731
    due = forwarding._due
    assert due(at(0.0, 0.0), None)
    assert due(at(0.001, 0.0), at(0.0, 0.5))
    assert due(at(0.001, 0.0, (1,)), at(0.0, 0.0, (0,)))
    assert not due(at(0.005, 0.6), at(0.0, 0.5)) and due(at(0.02, 0.6), at(0.0, 0.5))
    assert not due(at(0.02, 0.5), at(0.0, 0.5)) and due(at(0.045, 0.5), at(0.0, 0.5))
