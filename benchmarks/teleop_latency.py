"""From a key in the page to the action it causes, and how evenly the control loop runs, with the 3D view open.

    python benchmarks/teleop_latency.py [--json FILE] [--presses 100] [--no-view]

A real session of the Franka cube stack at 20 Hz: page server, view process, and headless Chromium, all on this machine,
which also has to draw the page's 3D view in software. Keys are pressed and released at random moments. An input counts
as applied when the simulator begins the step that it moves, so up to one control step (50 ms) of each latency is
waiting for that step to begin.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
TASK = "Apprentice-Stack-Franka"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument("--presses", type=int, default=100)
    parser.add_argument("--no-view", action="store_true", help="leave out the 3D view and the cameras")
    parser.add_argument("--browser", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.browser:
        print(json.dumps(press_keys(arguments.browser, arguments.presses)), flush=True)
        return
    results = measure(arguments.presses, view=not arguments.no_view)
    for key, value in results.items():
        print(f"{key:28} {value:10.2f}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    os._exit(0)  # nothing is left to save, and closing a simulation takes seconds


def press_keys(url: str, presses: int) -> dict[str, list[float]]:
    """Drive the page. Returns when each key went down and up, by the browser's clock (s)."""
    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    from desk import open_browser, open_page

    listen = """() => {
        window.presses = {down: [], up: []};
        const note = (kind) => (event) => event.repeat || !["KeyQ", "KeyE"].includes(event.code)
            || window.presses[kind].push((performance.timeOrigin + event.timeStamp) / 1000);
        window.addEventListener("keydown", note("down"), true);
        window.addEventListener("keyup", note("up"), true);
    }"""
    with open_browser() as browser:
        page = open_page(browser, url, viewport={"width": 1280, "height": 720})
        if page.locator("#tabs [data-look='3D view']").is_visible():
            page.click("#tabs [data-look='3D view']")
            time.sleep(8.0)  # it loads
        page.evaluate(listen)
        pauses = -1
        for number in range(presses):
            if page.get_attribute("body", "data-state") != "recording":
                pauses += 1
                _go_on(page)
            key = ("KeyQ", "KeyE")[number % 2]
            page.keyboard.down(key)
            time.sleep(random.uniform(0.12, 0.3))
            page.keyboard.up(key)
            time.sleep(random.uniform(0.3, 0.5) if number % 5 else 0.9)
        events: dict[str, list[float]] = page.evaluate("window.presses")
        page.keyboard.press("KeyN")
        page.wait_for_timeout(500)
    return events | {"pauses": [float(pauses)]}


def _go_on(page: Any) -> None:
    """Begin, or go on where a page that hung for 0.2 s made the robot pause."""
    for _ in range(20):
        page.keyboard.press("Enter")
        time.sleep(1.5)
        if page.get_attribute("body", "data-state") == "recording":
            return
    raise RuntimeError("Expected the recording to begin; the page hangs all the time.")


def measure(presses: int, *, view: bool) -> dict[str, float]:
    """Record one demo that the browser drives, and note what happens when."""
    from apprentice.record.cfg import RecordCfg
    from apprentice.record.live import record_live_session
    from apprentice.tasks.session import open_session

    browser: list[subprocess.Popen[str]] = []

    def ready(address: Any) -> None:
        command = [sys.executable, __file__, "--browser", address.urls[0], "--presses", str(presses)]
        browser.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))

    with tempfile.TemporaryDirectory() as folder, open_session(TASK, variant="d0") as session:
        cfg = RecordCfg(device=("keyboard",), demos=1, port=0, countdown_s=0.5, max_steps=100_000, view=view)
        with noted(session) as notes:
            record_live_session(session, Path(folder) / "demos.hdf5", cfg, ready=ready)
        events = json.loads(browser[0].communicate()[0])
    return figures(events, notes, session.control_hz)


class Notes:
    """When what happened, by this machine's clock (s)."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.began: list[float] = []
        """Steps that are the first to move."""
        self.ended: list[float] = []
        """Steps that are the first not to move any more."""
        self.moved: list[tuple[float, float]] = []
        """When a motion began after a rest, and when the first picture showed it."""


@contextmanager
def noted(session: Any) -> Iterator[Notes]:
    """Note steps of the session, what moved them, and pictures."""
    from apprentice.record.live import _Live
    from apprentice.teleop.web.server import PageServer

    notes, step, on_frame, show = Notes(), session.step, _Live.on_frame, PageServer.show
    moving, pending, lock = False, list[str](), threading.Lock()
    last: dict[str, Any] = {"picture": b"", "at": 0.0, "waiting": 0.0}

    def noting_frame(self: Any, slot: Any, frame: Any, now_s: float, lost: str) -> None:
        nonlocal moving
        moves = not lost and frame is not None and any(np.abs(hand.twist).max() > 0 for hand in frame.hands.values())
        if moves != moving and slot.state.value == "recording":
            pending.append("began" if moves else "ended")
            moving = moves
        on_frame(self, slot, frame, now_s, lost)

    def noting_step(*args: Any) -> Any:
        now = time.time()
        notes.steps.append(now)
        for kind in pending:
            getattr(notes, kind).append(now)
        began = "began" in pending
        pending.clear()
        result = step(*args)
        if began:
            with lock:
                if time.time() - last["at"] > 0.4:  # the pictures had come to rest
                    last["waiting"] = time.time()
        return result

    def noting_picture(self: Any, name: str, jpeg: bytes) -> None:
        show(self, name, jpeg)
        if name != "front":
            return
        with lock:
            if jpeg != last["picture"]:
                last["picture"], last["at"] = jpeg, time.time()
                if last["waiting"]:
                    notes.moved.append((last["waiting"], time.time()))
                    last["waiting"] = 0.0

    session.step, _Live.on_frame, PageServer.show = noting_step, noting_frame, noting_picture
    try:
        yield notes
    finally:
        session.step, _Live.on_frame, PageServer.show = step, on_frame, show


def figures(events: dict[str, list[float]], notes: Notes, hz: float) -> dict[str, float]:
    """What is published."""
    delays = [*_delays(events["down"], notes.began), *_delays(events["up"], notes.ended)]
    gaps = np.diff(notes.steps)
    gaps = gaps[gaps < 1.0]  # pauses are no steps
    results = {
        "inputs": float(len(delays)),
        "input_to_action_ms_p50": 1000 * float(np.quantile(delays, 0.5)),
        "input_to_action_ms_p99": 1000 * float(np.quantile(delays, 0.99)),
        "control_step_ms": 1000 / hz,
        "jitter_ms_p99": 1000 * float(np.quantile(np.abs(gaps - 1 / hz), 0.99)),
        "achieved_hz": float(1.0 / gaps.mean()),
        "late_motion_steps": float(_late(events, notes, hz)),
    }
    results["pauses_by_a_hanging_page"] = events["pauses"][0]
    if notes.moved:
        pictures = [seen - moved for moved, seen in notes.moved]
        results |= {
            "state_to_picture_ms_p50": 1000 * float(np.quantile(pictures, 0.5)),
            "state_to_picture_ms_p99": 1000 * float(np.quantile(pictures, 0.99)),
        }
    return results


def _delays(inputs: list[float], applied: list[float]) -> list[float]:
    """From each input to the first step that it changed. Inputs during a pause have none."""
    delays, later = [], iter(sorted(applied))
    following = next(later, None)
    for k, at in enumerate(sorted(inputs)):
        until = sorted(inputs)[k + 1] if k + 1 < len(inputs) else at + 1.0
        while following is not None and following < at:
            following = next(later, None)
        if following is not None and following < until:
            delays.append(following - at)
    return delays


def _late(events: dict[str, list[float]], notes: Notes, hz: float) -> int:
    """Steps that still moved although their key was up for more than a control step and 10 ms."""
    spans = [(up, next((end for end in notes.ended if end >= up), up)) for up in events["up"]]
    return sum(sum(up + 1 / hz + 0.01 < step < end for step in notes.steps) for up, end in spans)


if __name__ == "__main__":
    main()
