"""A page server with receivers that note what they hear, and clients that speak to it as a browser would."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from apprentice.teleop.web.cfg import Address, WebCfg
from apprentice.teleop.web.server import PageServer

WELCOME = {"task": "Stack", "eefs": ["franka"], "cameras": ["front"]}


@dataclass
class Ears:
    """A receiver. Refuses what has a key "bad"."""

    heard: list[Mapping[str, Any]] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)

    def receive(self, message: Mapping[str, Any], arrived_s: float) -> None:
        if "bad" in message:
            raise ValueError("expected nothing bad")
        if "fault" in message:
            raise RuntimeError("a fault")
        self.heard.append(message)

    def lost(self, reason: str) -> None:
        self.losses.append(reason)

    @property
    def seqs(self) -> list[int]:
        return [message["seq"] for message in self.heard if message["type"] == "input"]


class Page:
    """One open page, or a forwarded device."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.id = self.resume = ""
        self._seq = 0

    async def say(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def input(self, **more: Any) -> int:
        self._seq += 1
        await self.say(type="input", seq=self._seq, t=1.0, **more)
        return self._seq

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next message of a type."""
        while True:
            message = await self.socket.receive(timeout=10)
            assert message.type == aiohttp.WSMsgType.TEXT, f"expected {kind}, got {message}, {self.socket.close_code}"
            if (body := json.loads(message.data))["type"] == kind:
                return body

    async def until(self, **fields: Any) -> dict[str, Any]:
        """The next state with such fields."""
        while True:
            state = await self.hear("state")
            if all(state[key] == value for key, value in fields.items()):
                return state

    async def settled(self) -> None:
        """Whatever was said before has been handled."""
        await self.say(type="ping", t=7.5)
        assert (await self.hear("pong"))["t"] == 7.5

    async def closed(self) -> tuple[int | None, str]:
        """Code and reason with which the server closes this socket."""
        while True:
            message = await self.socket.receive(timeout=10)
            if message.type == aiohttp.WSMsgType.CLOSE:
                return message.data, message.extra or ""
            assert message.type == aiohttp.WSMsgType.TEXT, f"closed without a reason: {message}"


class Web:
    """A running server and a browser's session with it."""

    def __init__(self, server: PageServer, address: Address, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.address = address
        self.session = session

    @property
    def origin(self) -> str:
        return self.address.urls[0].split("/?")[0]

    def url(self, path: str) -> str:
        return self.origin + path

    async def socket(self, path: str = "/ws", **options: Any) -> aiohttp.ClientWebSocketResponse:
        bearer = {"Authorization": f"Bearer {self.address.token}"}
        return await self.session.ws_connect(self.url(path), headers=bearer, **options)

    async def page(self, name: str = "a page", kind: str = "page", **more: Any) -> Page:
        page = Page(await self.socket())
        await page.say(type="hello", name=name, kind=kind, **more)
        welcome = await page.hear("welcome")
        page.id, page.resume = welcome["you"], welcome["resume"]
        return page


@contextlib.asynccontextmanager
async def serving(
    receivers: Mapping[str, Ears] | None = None, *, view_port: int | None = None, **cfg: Any
) -> AsyncIterator[Web]:
    """A server on a free port of this machine."""
    server = PageServer(WebCfg(port=0, **cfg), receivers or {}, WELCOME, view_port=view_port)
    address = server.start()
    try:
        # cookies for addresses as for names, as browsers have them
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            yield Web(server, address, session)
    finally:
        await asyncio.to_thread(server.stop)
