"""A real recording that a test drives through the real page: the simulator in this thread, the browser in another."""

from __future__ import annotations

import _thread
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from desk import open_browser, open_page
from pilot import Eyes, Keys, Pilot

from apprentice.record.cfg import RecordCfg
from apprentice.record.live import record_live_session
from apprentice.record.recorder import RecordResult

WAIT_S = 30.0


class Driver:
    """What a test does in the browser."""

    def __init__(self, page: Any, watcher: Any, eyes: Eyes) -> None:
        self.page, self.watcher, self.eyes = page, watcher, eyes
        self.keys = Keys(page.keyboard)
        self.pilot = Pilot(eyes, self.keys, attend=self._go_on)

    @property
    def state(self) -> str:
        return self.page.evaluate("document.body.dataset.state")

    @property
    def step(self) -> int:
        """Control steps that the page says were recorded."""
        return int(self.page.get_attribute("#steps", "title").split()[1])

    def _go_on(self) -> None:
        """As a person would when the page hung for a moment, on a busy machine, and the robot stopped."""
        if self.state == "paused":
            self.keys.hold(set())
            self.begin()

    def begin(self) -> None:
        """Start, or go on, and again should the page hang just then."""
        deadline = time.monotonic() + WAIT_S
        while self.state in ("ready", "paused"):
            assert time.monotonic() < deadline, "Expected the recording to begin."
            self.keys.tap("Enter")
            time.sleep(1.0)
        self.wait_for("recording")

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


def record_while(
    session: Any, output: Path, cfg: RecordCfg, drive: Callable[[Driver], None], **page_options: Any
) -> RecordResult:
    """Record with a browser that `drive` uses in a thread. What goes wrong there is raised here."""
    eyes, failures, threads = Eyes(session), [], []

    def ready(address: Any) -> None:
        def run() -> None:
            try:
                with open_browser() as browser:
                    context = browser.new_context(viewport={"width": 1280, "height": 720}, **page_options)
                    # drawn in software, three dimensions take the processor from everything else
                    context.route("**/view/**", lambda route: route.fulfill(body="", content_type="text/html"))
                    page, watcher = open_page(context, address.urls[0]), open_page(context, address.urls[0])
                    watcher.click('[data-look="front"]')
                    page.bring_to_front()
                    driver = Driver(page, watcher, eyes)
                    try:
                        drive(driver)
                    except BaseException:
                        driver.picture(output.with_name("failed.png"))
                        raise
            except BaseException as error:
                traceback.print_exc()
                failures.append(error)
                _thread.interrupt_main()  # ends the recording

        threads.append(threading.Thread(target=run, daemon=True))
        threads[0].start()

    try:
        result = record_live_session(session, output, cfg, ready=ready)
        threads[0].join(WAIT_S)
    except KeyboardInterrupt:
        raise failures[0] from None
    if failures:
        raise failures[0]
    return result
