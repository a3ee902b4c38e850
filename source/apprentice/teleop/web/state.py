"""The state that pages are shown: the status of the session and who is there, put together."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any

from apprentice.teleop.web.hub import Hub
from apprentice.teleop.web.sockets import ControlSockets

STATUS = "status"
"""Key of the session's status, as text of JSON, in mail for `StateSender.update`."""


class StateSender:
    """Tells all pages the newest state, not more often than they want it."""

    def __init__(self, hub: Hub, control: ControlSockets, news: asyncio.Event, hz: float) -> None:
        self._hub = hub
        self._control = control
        self._news = news
        self._period_s = 1 / hz
        self._status: str | None = None

    def update(self, mail: Mapping[str, str]) -> None:
        """Take a newer status."""
        self._status = mail[STATUS]
        self._news.set()

    async def send(self) -> None:
        """Send whenever there is news, for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            if self._status is not None:
                people = json.dumps({"type": "state", **self._hub.roster()})
                fields = [text[1:-1] for text in (self._status, people) if len(text) > 2]
                self._control.tell("{" + ",".join(fields) + "}")
                await asyncio.sleep(self._period_s)


def to_json(value: Mapping[str, Any]) -> str:
    """JSON that browsers can read: what is not finite becomes null."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        # a rate that isn't known yet must not end a session
        return json.dumps(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
