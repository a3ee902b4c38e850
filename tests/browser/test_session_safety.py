"""People who drive are cut off in every way a page can be: the robot stops, waits, and lets them go on.

The simulator, its loop, the server and the browser are real.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from beside import (
    WAIT_S,
    Cable,
    Client,
    Step,
    assert_it_stopped,
    assert_no_garbage,
    logged,
    moves,
    record_beside,
    ticks_of,
    until,
    watched,
)
from desk import open_browser, open_page
from pilot import Keys
from playwright.sync_api import Page

from apprentice.demos import DemoFile
from apprentice.record.cfg import RecordCfg
from apprentice.tasks.session import open_session
from apprentice.teleop.bindings import Bindings
from apprentice.teleop.retarget import RetargetCfg

TASK = "Apprentice-Stack-Franka"
BUSY = "ms => { const end = performance.now() + ms; while (performance.now() < end); }"


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, variant="d0") as opened:
        yield opened


class Operator:
    """Somebody at a page, and the steps that the robot makes meanwhile."""

    def __init__(self, page: Page, steps: list[Step]) -> None:
        self.page, self.keys, self.steps = page, Keys(page.keyboard), steps

    @property
    def state(self) -> str:
        return self.page.evaluate("document.body.dataset.state")

    def wait_for(self, state: str) -> None:
        self.page.wait_for_selector(f'body[data-state="{state}"]')

    def begin(self) -> None:
        """Start, or go on, and again should the page hang just then."""
        deadline = time.monotonic() + WAIT_S
        while self.state != "recording":
            assert time.monotonic() < deadline, "Expected the recording to begin."
            if self.state in ("ready", "paused"):
                self.keys.tap("Enter")
            time.sleep(0.5)

    def drive(self, key: str = "KeyW", metres: float = 0.03) -> None:
        """Go on, and hold a key until the robot was told to move."""
        self.begin()
        until(lambda: self.steps, "a step")
        start = self.steps[-1].target
        self.keys.hold({key})
        while np.linalg.norm(self.steps[-1].target - start) < metres:
            if self.state != "recording":  # the page hung for a moment, on a busy machine
                self.keys.hold(set())
                self.begin()
                self.keys.hold({key})
            time.sleep(0.01)

    def stood_still(self, seconds: float = 0.5) -> bool:
        """Whether no step is made for some time."""
        before = len(self.steps)
        time.sleep(seconds)
        return len(self.steps) == before

    def save(self) -> None:
        self.keys.hold(set())
        self.keys.tap("KeyN")


@pytest.fixture
def record(session, tmp_path):
    """Records one demo with a browser at hand, and returns its file and the steps."""
    output = tmp_path / "demos.hdf5"

    def run(act: Callable[[Any, Any, list[Step]], None], **options: Any):
        cfg = RecordCfg(**({"demos": 1, "port": 0, "view": False, "countdown_s": 0.2} | options))

        def with_browser(address: Any) -> None:
            with open_browser() as browser:
                act(browser, address, steps)

        with watched(session) as steps:
            record_beside(session, output, cfg, with_browser)
        return output, steps

    return run


def test_closing_the_page_stops_the_robot_and_another_page_goes_on(record):
    def act(browser, address, steps):
        first = Operator(open_page(browser, address.urls[0]), steps)
        first.drive()
        first.page.context.close()  # with the key held down
        second = Operator(open_page(browser, address.urls[0]), steps)
        second.wait_for("paused")
        assert second.stood_still()
        second.drive("KeyS")
        second.save()

    output, steps = record(act)
    assert_it_stopped(ticks_of(output), steps, 1)
    assert_no_garbage(output)


def test_a_page_that_hangs_or_is_frozen_stops_the_robot_and_its_key_moves_nothing_until_it_is_pressed_anew(record):
    def act(browser, address, steps):
        operator = Operator(open_page(browser, address.urls[0]), steps)
        tools = operator.page.context.new_cdp_session(operator.page)
        operator.drive()
        operator.page.evaluate(BUSY, 1000)
        operator.wait_for("paused")
        assert operator.stood_still()
        # W is held down still
        begun = time.monotonic()
        operator.begin()
        until(lambda: steps[-1].time_s > begun + 0.5, "more steps")
        told = np.array([step.target for step in steps if step.time_s > begun])
        assert np.linalg.norm(told - told[0], axis=1).max() < 0.002
        operator.keys.hold(set())

        operator.drive("KeyS")
        # as a browser does that freezes a page: nothing in it runs. It never does so to one that it calls visible, and
        # without a screen all are
        tools.send("Debugger.enable")
        tools.send("Debugger.pause")
        time.sleep(0.6)
        assert operator.stood_still()
        tools.send("Debugger.resume")
        tools.send("Debugger.disable")
        operator.wait_for("paused")
        assert operator.stood_still()
        operator.keys.hold(set())
        operator.drive("KeyQ")
        operator.save()

    output, steps = record(act)
    assert_it_stopped(ticks_of(output), steps, 2)
    assert_no_garbage(output)


def test_a_frozen_network_stops_the_robot_and_what_comes_through_at_once_afterwards_moves_nothing(record):
    def act(browser, address, steps):
        cable = Cable(address.port)
        url = address.urls[0].replace(f":{address.port}/", f":{cable.port}/")
        operator = Operator(open_page(browser, url), steps)
        operator.drive()
        cable.freeze()
        time.sleep(0.6)
        assert operator.stood_still()
        # an operator who is annoyed: all of it waits in the network
        for key in ("Enter", "KeyW", "KeyK", "Enter"):
            operator.keys.tap(key)
        operator.page.click("#commands [data-command=start]", force=True)
        operator.keys.hold({"KeyW"})
        time.sleep(0.5)
        before = len(steps)
        cable.thaw()
        operator.wait_for("paused")
        time.sleep(0.7)
        assert len(steps) == before, "what was held up starts no robot"
        assert operator.state == "paused"
        operator.keys.hold(set())
        operator.drive("KeyS")
        operator.save()
        cable.close()

    output, steps = record(act)
    assert_it_stopped(ticks_of(output), steps, 1)
    assert_no_garbage(output)


def test_a_connection_that_is_cut_comes_back_as_the_one_that_drives(record):
    def act(browser, address, steps):
        cable = Cable(address.port)
        url = address.urls[0].replace(f":{address.port}/", f":{cable.port}/")
        operator = Operator(open_page(browser, url), steps)
        watcher = open_page(browser, address.urls[0])
        assert "token" not in operator.page.url
        operator.page.bring_to_front()
        operator.drive()
        cable.forget()  # the connection is not closed: nobody tells the server
        operator.page.wait_for_selector("#lost:not([hidden])")
        operator.page.click("#lost-again")
        operator.page.wait_for_selector("#lost", state="hidden")
        operator.page.wait_for_selector('body[data-role="driver"]')
        assert watcher.get_attribute("body", "data-role") == "watcher"
        operator.wait_for("paused")
        operator.keys.hold(set())
        operator.drive("KeyS")
        operator.save()
        cable.close()

    output, steps = record(act)
    assert_it_stopped(ticks_of(output), steps, 1)


def test_no_target_moves_once_a_key_was_let_go(record):
    def act(browser, address, steps):
        operator = Operator(open_page(browser, address.urls[0]), steps)
        for key in ("KeyW", "KeyA", "KeyQ"):
            operator.drive(key, metres=0.12)
            operator.keys.hold(set())
            time.sleep(0.7)
        operator.save()

    output, steps = record(act)
    messages = logged(output)
    held, let_go_s, checked = False, None, 0
    for message in messages:
        if message.topic == "/frames/page":
            wanted = wants(message.body)
            let_go_s = None if wanted else message.at_s if held else let_go_s
            held = wanted
        elif message.topic == "/ticks" and let_go_s is not None and message.at_s > let_go_s + 0.002:
            assert not wants(message.body["frame"]), "the very next step wants no motion"
            checked += 1
    assert checked > 3

    ticks = ticks_of(output)
    by_step = {step.time_s: step for step in steps}
    told: list[tuple[bool, np.ndarray]] = []
    times = np.array([tick.time_s for tick in ticks])
    for time_s, step in by_step.items():
        told.append((moves(ticks[int(np.searchsorted(times, time_s)) - 1]), step.target))
    stops = [i for i in range(1, len(told) - 4) if told[i - 1][0] and not told[i][0]]
    assert len(stops) >= 3
    ahead = RetargetCfg().lead_s * Bindings().speed_m_s
    for i in stops:
        # while it moves it is told to be ahead of the target by a fixed time; then the target, which did not move on
        assert np.linalg.norm(told[i][1] - told[i - 1][1]) == pytest.approx(ahead, abs=1e-3)
        for _, target in told[i + 1 : i + 4]:
            assert np.linalg.norm(target - told[i][1]) < 1e-4


def wants(frame: dict[str, Any] | None) -> bool:
    """Whether a frame of the log moves a hand."""
    return frame is not None and any(any(hand["twist"]) for hand in frame["hands"].values())


class _Stranger(BaseHTTPRequestHandler):
    """A page of somebody else, on this very machine."""

    def do_GET(self) -> None:
        body = b"<!doctype html><title>stranger</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def stranger() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


TRY = """async url => {
    const socket = new WebSocket(url.replace("http", "ws") + "ws");
    const opened = await new Promise(done => { socket.onopen = () => done(true); socket.onclose = () => done(false); });
    const read = await fetch(url, { credentials: "include" }).then(() => true, () => false);
    const frame = document.body.appendChild(Object.assign(document.createElement("iframe"), { src: url }));
    await new Promise(done => { frame.onload = done; setTimeout(done, 2000); });
    let inside = false;
    try { inside = Boolean(frame.contentDocument?.querySelector("#commands")); } catch {}
    return [opened, read, inside];
}"""


def test_only_the_one_who_drives_drives_and_no_page_of_somebody_else(record):
    seen: dict[str, Any] = {}

    def act(browser, address, steps):
        origin = f"http://127.0.0.1:{address.port}/"
        with stranger() as url, contextlib.ExitStack() as contexts:
            bare = contexts.enter_context(contextlib.closing(browser.new_context())).new_page()
            assert bare.goto(origin).status == 401
            assert bare.goto(origin.replace("?", "") + "?token=guessed").status == 401
            context = contexts.enter_context(contextlib.closing(browser.new_context()))
            page = open_page(context, address.urls[0].replace("localhost", "127.0.0.1"))
            driver = Operator(page, steps)
            other = context.new_page()
            other.goto(url)  # the cookie goes with what it asks of the page's server: ports are one site
            assert other.evaluate(TRY, origin) == [False, False, False]
            other.close()

            watcher = Operator(open_page(context, origin), steps)
            page.bring_to_front()
            driver.begin()
            begun = time.monotonic()
            for key in ("KeyW", "KeyK", "KeyL", "Space"):
                watcher.page.evaluate("code => window.dispatchEvent(new KeyboardEvent('keydown', { code }))", key)
            time.sleep(0.5)
            assert driver.state == "recording"
            seen["watched"] = [step.target for step in steps if step.time_s > begun]
            for key in ("KeyW", "KeyK", "KeyL", "Space"):
                watcher.page.evaluate("code => window.dispatchEvent(new KeyboardEvent('keyup', { code }))", key)

            page.click("text=Hand over")
            page.click("#give-list button")
            watcher.page.wait_for_selector('body[data-role="driver"]')
            watcher.wait_for("paused")
            assert watcher.stood_still()
            watcher.page.bring_to_front()
            watcher.drive("KeyA")
            watcher.save()

    output, steps = record(act)
    told = np.array(seen["watched"])
    assert len(told) > 3
    assert np.linalg.norm(told - told[0], axis=1).max() < 0.002
    assert_it_stopped(ticks_of(output), steps, 1)
    with DemoFile(output) as file:
        assert file.attrs(file.names[0])["device"] == "keyboard"


def test_a_hundred_clients_that_stall_leave_the_loop_at_its_rate(session, tmp_path):
    output = tmp_path / "demos.hdf5"

    def act(address):
        import socket as sockets

        driver = Client(address)
        request = (
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{address.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {address.token}\r\n\r\n"
        ).encode()
        with contextlib.ExitStack() as stack:
            for clients in (0, 100):
                for number in range(clients):
                    stalled = stack.enter_context(sockets.create_connection(("127.0.0.1", address.port)))
                    if number % 2:  # the others do not even say what they want
                        stalled.sendall(request)
                driver.ask_until("start", "recording")
                for _ in range(3):
                    driver.hold(0.5, keys=["KeyW"])
                    driver.hold(0.5, keys=["KeyS"])
                driver.ask_until("start", "recording")
                driver.command("save")
                if not clients:
                    until(lambda: driver.name == "ready", "another episode")
                    driver.hold(0.2)

    with watched(session):
        cfg = RecordCfg(demos=2, port=0, view=False, countdown_s=0.2)
        assert record_beside(session, output, cfg, act).saved == 2
    with DemoFile(output) as file:
        alone, beset = (file.attrs(name)["achieved_hz"] for name in file.names)
    assert beset > 0.8 * alone
    assert_no_garbage(output)
