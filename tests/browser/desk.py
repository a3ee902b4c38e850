"""A real page server, a receiver that remembers what the operator's page sends, and a browser to open it with."""

from __future__ import annotations

import io
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from apprentice.teleop.bindings import Bindings
from apprentice.teleop.sources.messages import parse_input
from apprentice.teleop.web.cfg import Address, WebCfg
from apprentice.teleop.web.server import PageServer

REPO = Path(__file__).resolve().parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_S = 15.0
COMPLAINTS: WeakKeyDictionary[Page, list[str]] = WeakKeyDictionary()
"""Errors and warnings of every page that was opened."""


class Recorder:
    """Hears what the driver's page does."""

    def __init__(self) -> None:
        self.inputs: list[dict[str, Any]] = []
        self.arrivals: list[float] = []
        self.commands: list[str] = []
        self.losses: list[str] = []

    def receive(self, message: Mapping[str, Any], arrived_s: float) -> None:
        if message["type"] == "input":
            parse_input(message)  # refuses what is not as agreed, which closes the page's socket
            self.inputs.append(dict(message))
            self.arrivals.append(arrived_s)
        else:
            self.commands.append(message["name"])

    def lost(self, reason: str) -> None:
        self.losses.append(reason)

    @property
    def last(self) -> dict[str, Any]:
        return self.inputs[-1] if self.inputs else {}

    def since(self, start: int) -> list[dict[str, Any]]:
        return self.inputs[start:]


def status(state: str = "ready", **changes: Any) -> dict[str, Any]:
    """What the recording tells a page."""
    running = state in ("recording", "paused", "rewinding")
    return {
        "state": state,
        "why": "the page lost the focus" if state == "paused" else "",
        "countdown_s": 2.4 if state == "countdown" else None,
        "step": 124 if running else 0,
        "seconds": 6.2 if running else 0.0,
        "max_steps": 600,
        "success": False,
        "held": 0,
        "held_steps": 10,
        "subtasks": [
            {"eef": "franka", "signal": "grasp_1", "object": "cube_2", "done": running, "marked": None},
            {
                "eef": "franka",
                "signal": "stack_1",
                "object": "cube_1",
                "done": False,
                "marked": 96 if running else None,
            },
            {"eef": "franka", "signal": None, "object": "cube_3", "done": False, "marked": None},
        ],
        "saved": 3,
        "wanted": 10,
        "discarded": 1,
        "last": {"name": "demo_2", "seconds": 8.2, "success": True},
        "can_undo": True,
        "devices": [
            {"name": "keyboard", "connected": True, "age_ms": 12.0, "detail": ""},
            {"name": "gamepad", "connected": False, "age_ms": None, "detail": "press any button of the gamepad"},
        ],
        "pace": {"hz": 19.97, "wanted_hz": 20, "jitter_ms": 1.24, "latency_ms": 31.2},
        "grips": {"franka": 0.0},
        "seed": 5,
        "file": "demos.hdf5",
        "message": "",
    } | changes


WELCOME = {
    "task": "Isaac-Stack-Cube-Franka-IK-Rel-Mimic-v0",
    "variant": "d0",
    "backend": "native",
    "control_hz": 20,
    "eefs": ["franka"],
    "cameras": ["table", "wrist"],
    "bindings": Bindings().table(),
    "subtasks": ["grasp_1", "stack_1", None],
    "devices": ["keyboard", "gamepad"],
}


class Desk:
    """A session without a robot: the server of the page, and who hears it."""

    def __init__(self, server: PageServer, recorder: Recorder, address: Address) -> None:
        self.server, self.recorder, self.address = server, recorder, address
        self._status = status()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._publish, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return self.address.urls[0]

    def show(self, state: str, **changes: Any) -> None:
        self._status = status(state, **changes)

    def silence(self) -> None:
        """Publish nothing any more, as when the recording hangs."""
        self._ending.set()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        self.server.stop()

    def _publish(self) -> None:
        pictures = {name: picture(shade) for name, shade in (("table", 90), ("wrist", 160))}
        while not self._ending.wait(0.05):
            self.server.publish(self._status)
            for name, jpeg in pictures.items():
                self.server.show(name, jpeg)


def picture(shade: int) -> bytes:
    """A JPEG of 64 x 48."""
    file = io.BytesIO()
    Image.fromarray(np.full((48, 64, 3), shade, np.uint8)).save(file, "JPEG")
    return file.getvalue()


class _View(BaseHTTPRequestHandler):
    """Stands where viser does: a page that takes keys and the focus."""

    def do_GET(self) -> None:
        body = b"""<!doctype html><title>view</title><canvas tabindex=0 width=300 height=200></canvas><input id=field>
            <script>window.stolen = []; document.addEventListener("keydown", e => stolen.push(e.code))</script>"""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def open_desk(*, view: bool = True, port: int = 0, token: str = "", arms: int = 1) -> Iterator[Desk]:
    """A served page. `port` and `token` are given where a session is to be started again at the same address."""
    welcome = WELCOME | {"bindings": Bindings().table(arms=arms)}
    viewer = ThreadingHTTPServer(("127.0.0.1", 0), _View)
    threading.Thread(target=viewer.serve_forever, daemon=True).start()
    recorder = Recorder()
    view_port = viewer.server_address[1] if view else None
    server = PageServer(WebCfg(port=port, token=token), {"page": recorder}, welcome, view_port=view_port)
    desk = Desk(server, recorder, server.start())
    try:
        yield desk
    finally:
        desk.close()
        viewer.shutdown()
        viewer.server_close()


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Headless Chromium of this machine."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    assert found, "Expected Chromium to test the page with, found none: install the package chromium."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


def open_page(browser: Browser | BrowserContext, url: str, **options: Any) -> Page:
    """A page that is connected and drawn."""
    context = browser if isinstance(browser, BrowserContext) else browser.new_context(**options)
    page = context.new_page()
    said = COMPLAINTS[page] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(url)
    page.wait_for_selector('body[data-link="open"]')
    page.wait_for_selector('body:not([data-state="waiting"])')
    return page


def iwer() -> Path:
    """Meta's emulator of headsets, installed beside the repository's other tools."""
    file = REPO / ".tools/npm/node_modules/iwer/build/iwer.min.js"
    assert file.is_file(), (
        f"Expected the WebXR emulator at {file.relative_to(REPO)}, found nothing. "
        "Get it with `npm install --prefix .tools/npm iwer@2.5.0`."
    )
    return file


def eventually(what: Callable[[], Any], page: Page | None = None, expected: str = "") -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + WAIT_S
    while not (value := what()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Expected within {WAIT_S:g} s: {expected or 'a true value'}, found {value!r}.")
        if page is None:
            time.sleep(0.01)
        else:
            page.wait_for_timeout(10)  # a sleep would keep the page's events from us
    return value
