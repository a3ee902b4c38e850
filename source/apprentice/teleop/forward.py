"""Forwards a SpaceMouse from the operator's machine to a recording that runs on another one."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from apprentice.errors import UserError
from apprentice.teleop.sources.spacemouse_hid import Reading, SpaceMouseReader, require_library

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse

MOVING_S = 1 / 60
"""Time between messages while the cap moves."""
RESTING_S = 0.04
"""Time between messages at rest; the other side stops the robot after 0.2 s without any."""
RETRY_S = 1.0
"""Time between attempts to connect."""


class _Newest:
    """The device's newest reading, kept by a thread."""

    def __init__(self, path: str | None) -> None:
        self._reader = SpaceMouseReader(path)
        self.reading: Reading | None = None
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forward-spacemouse", daemon=True)
        self._thread.start()

    @property
    def detail(self) -> str:
        return self._reader.detail

    def _run(self) -> None:
        while not self.stopping.is_set():
            self.reading = self._reader.read()
        self._reader.close()

    def stop(self) -> None:
        self.stopping.set()
        self._thread.join(timeout=1.0)


def forward(
    url: str,
    device: str | None = None,
    *,
    fingerprint: str | None = None,
    report: Callable[[str], None] = lambda text: None,
    stop: threading.Event | None = None,
) -> None:
    """Forward until stopped; connects again, to both ends, as often as it takes.

    Args:
        url: The page's address with its token, as `apprentice record` prints it.
        device: Path such as "/dev/hidraw1"; None takes the first SpaceMouse.
        fingerprint: SHA-256 of the server's certificate, as hexadecimal digits, for servers with one of their own
            making. Without it, https addresses need a certificate that this machine trusts.
        report: Told in words what happens.
        stop: Ends it when set.

    Raises:
        UserError: If the address is none, the server refuses the token, or the system library is missing.
    """
    require_library()
    address = socket_address(url)
    newest = _Newest(device)
    try:
        asyncio.run(_forward(address, newest, fingerprint, report, stop or threading.Event()))
    finally:
        newest.stop()


def socket_address(url: str) -> str:
    """Address of the WebSocket of the page at `url`, with its token.

    Raises:
        UserError: If the address is none of a page, or lacks the token.
    """
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.netloc or "token=" not in parts.query:
        raise UserError(f'Expected the address of the page, such as "http://server:8080/?token=...", found "{url}".')
    return urlunsplit((scheme, parts.netloc, "/ws", parts.query, ""))


async def _forward(
    address: str, newest: _Newest, fingerprint: str | None, report: Callable[[str], None], stop: threading.Event
) -> None:
    import aiohttp

    trust = aiohttp.Fingerprint(_digest(fingerprint)) if fingerprint else True
    async with aiohttp.ClientSession() as session:
        while not stop.is_set():
            try:
                async with session.ws_connect(address, ssl=trust, heartbeat=5.0) as connection:
                    report(f"connected to {urlsplit(address).netloc}")
                    hello = {"type": "hello", "name": f"SpaceMouse on {socket.gethostname()}", "kind": "device"}
                    await connection.send_str(json.dumps(hello | {"device": "spacemouse"}))
                    listener = asyncio.ensure_future(_listen(connection, report))
                    try:
                        await _send(connection, newest, report, stop)
                    finally:
                        listener.cancel()
            except aiohttp.WSServerHandshakeError as error:
                if error.status in (401, 403):
                    raise UserError(
                        f"Expected the token of the recording that runs now, the server answers {error.status}. "
                        "Copy the address again."
                    ) from error
                report(f"the server answers {error.status}, trying again")
            except aiohttp.ClientSSLError as error:
                raise UserError(
                    f"Expected a certificate that this machine trusts, found: {error}. Install the server's /ca.crt, "
                    "or say --fingerprint with what the server printed."
                ) from error
            except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
                report(f"no connection ({error}), trying again")
            if not stop.is_set():
                await asyncio.sleep(RETRY_S)


async def _send(
    connection: ClientWebSocketResponse, newest: _Newest, report: Callable[[str], None], stop: threading.Event
) -> None:
    """Send readings until the connection closes. While the device can't be heard, nothing is sent."""
    sent: Reading | None = None
    number, detail = 0, ""
    while not stop.is_set() and not connection.closed:
        reading = newest.reading
        if newest.detail != detail:
            detail = newest.detail
            report(detail)
        if reading is not None and _due(reading, sent):
            number += 1
            message = {
                "type": "device",
                "device": "spacemouse",
                "seq": number,
                "t": 1000 * reading.time_s,
                "twist": reading.axes.tolist(),
                "buttons": list(reading.buttons),
            }
            await connection.send_str(json.dumps(message))
            sent = reading
        await asyncio.sleep(0.004)


def _due(reading: Reading, sent: Reading | None) -> bool:
    if sent is None or reading.buttons != sent.buttons:
        return True
    if not reading.axes.any() and sent.axes.any():
        return True  # let go: at once
    moved = not np.array_equal(reading.axes, sent.axes)
    return reading.time_s - sent.time_s >= (MOVING_S if moved else RESTING_S)


async def _listen(connection: ClientWebSocketResponse, report: Callable[[str], None]) -> None:
    """Read what the server says, as it must be read; errors are passed on."""
    async for message in connection:
        given = json.loads(message.data) if isinstance(message.data, str) else {}
        if given.get("type") == "error":
            report(str(given.get("message")))


def _digest(fingerprint: str) -> bytes:
    try:
        digest = bytes.fromhex(fingerprint.replace(":", ""))
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise UserError(f'Expected a SHA-256 fingerprint of 64 hexadecimal digits, found "{fingerprint}".')
    return digest
