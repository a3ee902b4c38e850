"""Hands values from any thread to the server's loop: of every key the newest only, and nobody waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable


class Inbox[Value]:
    """Filled by any thread, emptied by the loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Value] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_mail: Callable[[dict[str, Value]], object] = lambda mail: None

    def open(self, loop: asyncio.AbstractEventLoop, on_mail: Callable[[dict[str, Value]], object]) -> None:
        """Begin to deliver: `on_mail` is called in the loop, with what came since the last time."""
        with self._lock:
            self._loop, self._on_mail = loop, on_mail
            if self._waiting:
                loop.call_soon_threadsafe(self._deliver)

    def close(self) -> None:
        """Deliver nothing more. To be called before the loop ends."""
        with self._lock:
            self._loop = None

    def put(self, key: str, value: Value) -> None:
        """Deliver a value soon, instead of one of the same key that still waits."""
        with self._lock:
            # one call at a time: a loop that is late finds one entry here and not a queue
            if not self._waiting and self._loop is not None:
                self._loop.call_soon_threadsafe(self._deliver)
            self._waiting[key] = value

    def _deliver(self) -> None:
        with self._lock:
            mail, self._waiting = self._waiting, {}
        self._on_mail(mail)
