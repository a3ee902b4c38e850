"""A real recording that a test drives through the real page: the simulator in this thread, the browser in another."""

from __future__ import annotations

import _thread
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

from desk import open_browser, open_page
from pilot import Eyes, Keys, Pilot
from playwright.sync_api import BrowserContext, Page
from playwright.sync_api import Error as PlaywrightError

from apprentice.record.cfg import RecordCfg
from apprentice.record.live import record_live_session
from apprentice.record.recorder import RecordResult

WAIT_S = 30.0
TRIES = 3


class Driver(ABC):
    """Somebody at a browser, who sees the scene and the page."""

    def __init__(self, context: BrowserContext, url: str, eyes: Eyes) -> None:
        """Args: url: Of the operator's page."""
        self.eyes = eyes
        self.page = self.open(context, url)
        self.watcher = open_page(context, url)
        self.watcher.click('[data-look="front"]')
        self.page.bring_to_front()

    @abstractmethod
    def open(self, context: BrowserContext, url: str) -> Page:
        """Open the page that drives."""

    @abstractmethod
    def press_start(self) -> None:
        """What begins, or goes on after a pause."""

    @abstractmethod
    def let_go(self) -> None:
        """Hold nothing any more."""

    @property
    def state(self) -> str:
        return self.page.evaluate("document.body.dataset.state")

    @property
    def step(self) -> int:
        """Control steps that the page says were recorded."""
        title = self.page.get_attribute("#steps", "title")
        assert title, "Expected the page to say how many steps were recorded."
        return int(title.split()[1])

    def done(self, signal: str) -> bool:
        """Whether the desk's page ticks a subtask off."""
        return signal in self.watcher.locator("#subtasks .done .name").all_text_contents()

    def go_on(self) -> None:
        """As a person would when the page hung for a moment, on a busy machine, and the robot stopped."""
        if self.state == "paused":
            self.let_go()
            self.begin()

    def begin(self) -> None:
        """Start, or go on, and again should the page hang just then."""
        deadline = time.monotonic() + WAIT_S
        while (state := self.state) != "recording":
            assert time.monotonic() < deadline, f"Expected the recording to begin, it is {state}."
            if state in ("ready", "paused"):
                self.press_start()
            time.sleep(1.0)

    def picture(self, path: Path) -> None:
        """What somebody sees who watches: taking a picture holds a page up, which must not be the one that drives."""
        self.watcher.screenshot(path=str(path))

    def wait_for(self, state: str) -> None:
        self.page.wait_for_selector(f'body[data-state="{state}"]', timeout=1000 * WAIT_S)

    def until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT_S
        while not true():
            assert time.monotonic() < deadline, f"Expected {what} within {WAIT_S:.0f} s."
            time.sleep(0.02)


class KeyDriver(Driver):
    """Drives with the keyboard."""

    def __init__(self, context: BrowserContext, url: str, eyes: Eyes) -> None:
        super().__init__(context, url, eyes)
        self.keys = Keys(self.page.keyboard)
        self.pilot = Pilot(eyes, self.keys, attend=self.go_on)

    def open(self, context: BrowserContext, url: str) -> Page:
        return open_page(context, url)

    def press_start(self) -> None:
        self.keys.tap("Enter")

    def let_go(self) -> None:
        self.keys.hold(set())


def record_while[D: Driver](
    session: Any, output: Path, cfg: RecordCfg, driver: type[D], drive: Callable[[D], None]
) -> RecordResult:
    """Record with a browser that `drive` uses in a thread, through a `driver`. What goes wrong there is raised here.

    Who drives by looking needs a machine that shows in time where the robot is. On a busy one they may lose their way,
    and begin anew, as people do.
    """
    eyes = Eyes(session)
    for left in reversed(range(TRIES)):
        try:
            return _record_once(session, eyes, output, cfg, driver, drive)
        except (AssertionError, PlaywrightError):
            if not left:
                raise
    raise AssertionError("unreachable")


def _record_once[D: Driver](
    session: Any, eyes: Eyes, output: Path, cfg: RecordCfg, driver: type[D], drive: Callable[[D], None]
) -> RecordResult:
    failures: list[BaseException] = []
    threads: list[threading.Thread] = []
    over = threading.Event()

    def ready(address: Any) -> None:
        def run() -> None:
            try:
                with open_browser() as browser:
                    context = browser.new_context(viewport={"width": 1280, "height": 720})
                    # drawn in software, three dimensions take the processor from everything else
                    context.route("**/view/**", lambda route: route.fulfill(body="", content_type="text/html"))
                    somebody = driver(context, address.urls[0], eyes)
                    try:
                        drive(somebody)
                    except BaseException:
                        somebody.picture(output.with_name("failed.png"))
                        raise
            except BaseException as error:
                traceback.print_exc()
                failures.append(error)
                while not over.wait(1.0):  # one interrupt can be lost in a callback that ignores it
                    _thread.interrupt_main()

        threads.append(threading.Thread(target=run, daemon=True))
        threads[0].start()

    try:
        result = record_live_session(session, output, cfg, ready=ready)
        over.set()
    except KeyboardInterrupt:
        over.set()
        raise failures[0] from None
    threads[0].join(WAIT_S)
    if failures:
        raise failures[0]
    return result
