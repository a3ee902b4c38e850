"""A forwarded SpaceMouse arrives at a server, and goes on by itself when the connection was lost."""

import asyncio
import json
import threading
import time

import numpy as np
import pytest
from aiohttp import WSMsgType, web

from apprentice.errors import UserError
from apprentice.teleop import forward as forwarding
from apprentice.teleop.forward import forward, socket_address
from apprentice.teleop.sources.messages import parse_puck
from apprentice.teleop.sources.spacemouse_hid import Reading


class Cap:
    """In the place of the hardware: a cap that is pushed forward until told otherwise."""

    detail = "Fake SpaceMouse"
    axes, buttons = (1.0, 0, 0, 0, 0, 0), (0, 0)

    def __init__(self, path):
        assert path == "/dev/hidraw7"

    def read(self):
        threading.Event().wait(0.002)
        return Reading(time_s=time.monotonic(), axes=np.array(Cap.axes, dtype=float), buttons=Cap.buttons)

    def close(self):
        pass


class Server:
    """Takes what clients send, and hangs up after so many messages."""

    def __init__(self):
        self.connections, self.done, self.port = [], threading.Event(), None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    async def serve(self):
        app = web.Application()
        app.router.add_get("/ws", self.socket)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self.ready.set()
        while not self.done.is_set():
            await asyncio.sleep(0.01)
        await runner.cleanup()

    async def socket(self, request):
        if request.query.get("token") != "secret":
            return web.Response(status=401)
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        received = []
        self.connections.append(received)
        async for message in connection:
            if message.type is WSMsgType.TEXT:
                received.append(json.loads(message.data))
            if len(received) > 8:
                await connection.close()
        return connection


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(forwarding, "SpaceMouseReader", Cap)
    monkeypatch.setattr(forwarding, "require_library", lambda: None)
    monkeypatch.setattr(forwarding, "RETRY_S", 0.05)
    server = Server()
    yield server
    server.done.set()
    server.thread.join(10)


def test_readings_arrive_in_order_and_again_after_the_server_hung_up(server):
    stop, said = threading.Event(), []
    url = f"http://127.0.0.1:{server.port}/?token=secret"
    thread = threading.Thread(target=forward, args=(url, "/dev/hidraw7"), kwargs={"report": said.append, "stop": stop})
    thread.start()
    for _ in range(1000):
        if len(server.connections) >= 2 and len(server.connections[1]) > 8:
            break
        threading.Event().wait(0.01)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    for received in server.connections[:2]:
        hello, *readings = received
        assert (hello["type"], hello["kind"], hello["device"]) == ("hello", "device", "spacemouse")
        assert [reading["seq"] for reading in readings] == list(range(1, len(readings) + 1))
        for reading in readings:
            assert parse_puck(reading).axes.tolist() == [1, 0, 0, 0, 0, 0]
        times = [reading["t"] for reading in readings]
        assert times == sorted(times)
    assert "Fake SpaceMouse" in said and any(text.startswith("connected to") for text in said)


def test_a_wrong_token_ends_it_with_what_to_do(server):
    with pytest.raises(UserError, match=r"token.*401"):
        forward(f"http://127.0.0.1:{server.port}/?token=wrong", "/dev/hidraw7")


@pytest.mark.parametrize("url", ["server:8080", "http://server:8080/", "ftp://server/?token=a", ""])
def test_an_address_that_is_none_of_a_page_is_refused(url):
    with pytest.raises(UserError, match="address of the page"):
        socket_address(url)


def test_the_socket_has_the_pages_host_and_token():
    assert socket_address("https://server:8443/?token=a-b") == "wss://server:8443/ws?token=a-b"


def test_a_released_cap_and_a_pressed_button_are_sent_at_once():
    at = lambda time_s, x, buttons=(0,): Reading(time_s=time_s, axes=np.array((x, 0, 0, 0, 0, 0.0)), buttons=buttons)  # noqa: E731
    due = forwarding._due
    assert due(at(0.0, 0.0), None)
    assert due(at(0.001, 0.0), at(0.0, 0.5))
    assert due(at(0.001, 0.0, (1,)), at(0.0, 0.0, (0,)))
    assert not due(at(0.005, 0.6), at(0.0, 0.5)) and due(at(0.02, 0.6), at(0.0, 0.5))
    assert not due(at(0.02, 0.5), at(0.0, 0.5)) and due(at(0.045, 0.5), at(0.0, 0.5))
