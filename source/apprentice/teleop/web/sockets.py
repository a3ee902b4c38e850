"""The two sockets of a page: /ws for everything that is said, /cam for the cameras' pictures."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from apprentice.teleop.web.cfg import WebCfg
from apprentice.teleop.web.hub import Client, Hub, Refused
from apprentice.teleop.web.messages import Hello, Malformed, parse
from apprentice.teleop.web.outbox import Outbox, close_socket, open_socket

HELLO_S = 5.0
"""A client that has not said who it is by then is not one."""
BURST_S = 4.0
"""A network that was held up delivers everything at once: so much of a client's allowance may come together."""
GONE = "the page was closed"

log = logging.getLogger(__name__)


class Allowance:
    """How many messages a client may still send. Fills with time."""

    def __init__(self, hz: float, now_s: float) -> None:
        self._hz = hz
        self._left = self._most = hz * BURST_S
        self._then_s = now_s

    def spend(self, now_s: float) -> bool:
        """Take one; False if there is none left."""
        self._left = min(self._most, self._left + (now_s - self._then_s) * self._hz) - 1
        self._then_s = now_s
        return self._left >= 0


class ControlSockets:
    """Serves /ws: listens to clients, and tells them the state."""

    def __init__(self, cfg: WebCfg, hub: Hub, welcome: Mapping[str, Any]) -> None:
        self._cfg = cfg
        self._hub = hub
        self._welcome = welcome
        self._state: str | None = None
        self._open: dict[web.WebSocketResponse, asyncio.Transport] = {}

    def tell(self, state: str) -> None:
        """Send a state to every page, now and when it opens."""
        self._state = state
        for page in self._hub.pages:
            page.mail.replace("state", state)

    async def close(self, reason: str) -> None:
        """Close all sockets."""
        await _close_all(self._open, reason)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Talk to one client until it goes, or has to."""
        # longer ones than twice the limit are not even read; those in between are answered with a reason
        sock = open_socket(self._cfg.stall_s, 2 * self._cfg.max_message_bytes)
        await sock.prepare(request)
        if not isinstance(transport := request.transport, asyncio.Transport):
            return sock
        self._open[sock] = transport
        code, reason = int(WSCloseCode.OK), ""
        outbox = Outbox(sock, transport, self._cfg.stall_s)
        try:
            async with outbox.sending():
                await self._talk(sock, outbox)
        except Refused as refusal:
            code, reason = refusal.code, refusal.reason
        except ConnectionError:
            pass  # it went away while it was answered
        finally:
            del self._open[sock]
            await close_socket(sock, transport, code, reason)
        return sock

    async def _talk(self, sock: web.WebSocketResponse, outbox: Outbox) -> None:
        client = await self._greet(sock, outbox)
        if client is None:
            return
        reason = GONE
        allowance = Allowance(self._cfg.max_messages_hz, time.monotonic())
        try:
            while (text := self._text(await sock.receive())) is not None:
                now_s = time.monotonic()
                if not allowance.spend(now_s):
                    raise Refused(
                        WSCloseCode.POLICY_VIOLATION,
                        f"expected at most {self._cfg.max_messages_hz:g} messages a second",
                    )
                self._handle(client, text, now_s)
                # many messages may be waiting here: others come in between
                await asyncio.sleep(0)
        except Refused as refusal:
            reason = f"{client.hello.name} was disconnected: {refusal.reason}"
            raise
        finally:
            self._hub.leave(client, reason)

    async def _greet(self, sock: web.WebSocketResponse, outbox: Outbox) -> Client | None:
        try:
            async with asyncio.timeout(HELLO_S):
                text = self._text(await sock.receive())
        except TimeoutError as error:
            raise Refused(WSCloseCode.POLICY_VIOLATION, f"expected a hello within {HELLO_S:g} s") from error
        if text is None:
            return None
        hello = self._parse(text)
        if not isinstance(hello, Hello):
            raise Refused(WSCloseCode.POLICY_VIOLATION, "expected a hello as the first message")
        client = self._hub.join(hello, outbox, time.monotonic())
        outbox.answer(json.dumps({"type": "welcome", "you": client.id, "resume": client.resume, **self._welcome}))
        if self._state is not None and hello.kind != "device":
            outbox.replace("state", self._state)
        return client

    def _text(self, message: WSMessage) -> str | None:
        """What a message says; None if it is the end."""
        if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
            return None
        if message.type != WSMsgType.TEXT:
            raise Refused(WSCloseCode.UNSUPPORTED_DATA, "expected text, got bytes")
        limit = self._cfg.max_message_bytes
        if (size := len(message.data.encode(errors="replace"))) > limit:
            raise Refused(WSCloseCode.MESSAGE_TOO_BIG, f"expected at most {limit} bytes, got {size}")
        return message.data

    def _parse(self, text: str) -> Any:
        try:
            return parse(text)
        except Malformed as error:
            raise Refused(WSCloseCode.POLICY_VIOLATION, str(error)) from error

    def _handle(self, client: Client, text: str, now_s: float) -> None:
        message = self._parse(text)
        try:
            self._hub.handle(client, message, now_s)
        except ValueError as error:
            raise Refused(WSCloseCode.POLICY_VIOLATION, str(error)) from error
        except Exception as error:
            # a fault of ours, which must stop the robot and not the server
            log.exception("A message of %s could not be handled", client.hello.name)
            raise Refused(WSCloseCode.INTERNAL_ERROR, f"this message could not be handled: {error}") from error


class CameraSockets:
    """Serves /cam: of each camera the newest picture that a client is ready for."""

    def __init__(self, cfg: WebCfg) -> None:
        self._cfg = cfg
        self._newest: dict[str, bytes] = {}
        self._open: dict[web.WebSocketResponse, asyncio.Transport] = {}
        self._outboxes: set[Outbox] = set()

    def show(self, pictures: Mapping[str, bytes]) -> None:
        """Send pictures to everybody, now and when they open."""
        self._newest.update(pictures)
        for outbox in self._outboxes:
            for camera, picture in pictures.items():
                outbox.replace(camera, picture)

    async def close(self, reason: str) -> None:
        """Close all sockets."""
        await _close_all(self._open, reason)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Send pictures to one client until it goes."""
        sock = open_socket(self._cfg.stall_s, 1024)
        await sock.prepare(request)
        if not isinstance(transport := request.transport, asyncio.Transport):
            return sock
        if len(self._open) >= self._cfg.max_clients:
            reason = f"{self._cfg.max_clients} clients watch the cameras, close one first"
            await close_socket(sock, transport, WSCloseCode.TRY_AGAIN_LATER, reason)
            return sock
        outbox = Outbox(sock, transport, self._cfg.stall_s)
        self._open[sock] = transport
        self._outboxes.add(outbox)
        for camera, picture in self._newest.items():
            outbox.replace(camera, picture)
        said = False
        try:
            async with outbox.sending():
                said = (await sock.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY)
        except ConnectionError:
            pass  # it went away while it was answered
        finally:
            self._outboxes.discard(outbox)
            del self._open[sock]
        code = WSCloseCode.POLICY_VIOLATION if said else WSCloseCode.OK
        await close_socket(sock, transport, code, "cameras only send" if said else "")
        return sock


def encode_picture(camera: str, jpeg: bytes) -> bytes:
    """A message of /cam: one byte with the length of the camera's name, the name, the JPEG."""
    name = camera.encode("ascii")
    if not 0 < len(name) < 256:
        raise ValueError(f"Expected a camera name of 1 to 255 letters, got {camera!r}.")
    return bytes((len(name),)) + name + jpeg


async def _close_all(sockets: Mapping[web.WebSocketResponse, asyncio.Transport], reason: str) -> None:
    closing = [close_socket(sock, transport, WSCloseCode.GOING_AWAY, reason) for sock, transport in sockets.items()]
    await asyncio.gather(*closing, return_exceptions=True)
