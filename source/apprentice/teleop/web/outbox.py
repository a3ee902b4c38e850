"""What waits to be sent to one client: answers in order, and of everything else the newest only."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator

from aiohttp import web

MOST_ANSWERS = 64
"""A client that lets so many answers wait does not read."""
UNSENT_BYTES = 16384
"""How much the system may hold back for a slow client. More would be old when it arrives."""


class Outbox:
    """Sends to one socket, at the pace of its client. Only for the server's loop."""

    def __init__(self, sock: web.WebSocketResponse, transport: asyncio.Transport, stall_s: float) -> None:
        self._socket = sock
        self._transport = transport
        self._stall_s = stall_s
        self._answers: deque[str] = deque()
        self._newest: dict[str, str | bytes] = {}
        self._waiting = asyncio.Event()
        # from here on a send ends when the system has taken the message, so that the next one is the newest there is
        transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(AttributeError, OSError):  # a system without the option only keeps more
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def answer(self, text: str) -> None:
        """Send a message that must not be lost."""
        self._answers.append(text)
        self._waiting.set()
        if len(self._answers) > MOST_ANSWERS:
            self._transport.abort()

    def replace(self, key: str, message: str | bytes) -> None:
        """Send a message, unless a newer one of this key comes before the client is ready for it."""
        self._newest[key] = message
        self._waiting.set()

    def cut(self) -> None:
        """Drop the client."""
        self._transport.abort()

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send in the background for as long as the context is open. Drops the client if it stalls."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        try:
            while True:
                await self._waiting.wait()
                self._waiting.clear()
                while (message := self._next()) is not None:
                    async with asyncio.timeout(self._stall_s):
                        await self._send(message)
        except (TimeoutError, ConnectionError):
            self._transport.abort()

    def _next(self) -> str | bytes | None:
        if self._answers:
            return self._answers.popleft()
        if self._newest:
            # oldest key first, so that no camera starves another
            return self._newest.pop(next(iter(self._newest)))
        return None

    async def _send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            await self._socket.send_str(message)
        else:
            await self._socket.send_bytes(message)


def open_socket(stall_s: float, longest: int) -> web.WebSocketResponse:
    """A socket that finds out when its client is gone, and that sends at its client's pace."""
    return web.WebSocketResponse(heartbeat=stall_s, timeout=1.0, compress=False, max_msg_size=longest, writer_limit=0)


async def close_socket(sock: web.WebSocketResponse, transport: asyncio.Transport, code: int, reason: str) -> None:
    """Say why and close, without waiting for a client that does not listen."""
    # the protocol allows 123 bytes
    text = reason.encode(errors="replace")[:123].decode(errors="ignore").encode()
    try:
        async with asyncio.timeout(2.0):
            await sock.close(code=code, message=text)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        transport.abort()
