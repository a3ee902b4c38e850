"""Forwards a SpaceMouse from the operator's machine to a recording that runs on another one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from apprentice.errors import UserError
from apprentice.teleop.sources.spacemouse_hid import Reading, SpaceMouseReader, require_library

if TYPE_CHECKING:
    from aiohttp import ClientSession, ClientWebSocketResponse, WSMessage

    from apprentice.teleop.web.cfg import Address

MOVING_S = 1 / 60
"""Time between messages while the cap moves."""
RESTING_S = 0.04
"""Time between messages at rest; the other side stops the robot after 0.2 s without any."""
RETRY_S = 1.0
"""Time between attempts to connect."""
WELCOME_S = 5.0
"""Time in which a server has to answer."""
GOING_AWAY = 1001
"""What the server says when its session ends, rather than break."""


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
    """Forward until stopped, or the session has ended; connects again, to both ends, as often as it takes.

    Args:
        url: The page's address with its token, as `apprentice record` prints it.
        device: Path such as "/dev/hidraw1"; None takes the first SpaceMouse.
        fingerprint: SHA-256 of the server's certificate, as hexadecimal digits, for servers with one of their own
            making. Without it, https addresses need a certificate that this machine trusts.
        report: Told in words what happens, nothing twice in a row.
        stop: Ends it when set.

    Raises:
        UserError: If the address is none, the server refuses the token or is another one than expected, or the system
            library is missing.
    """
    address = socket_address(url)
    trust = _digest(fingerprint) if fingerprint else None
    if trust and not address.startswith("wss:"):
        raise UserError(f'Expected an https address with --fingerprint, as the recording prints it, found "{url}".')
    require_library()
    newest = _Newest(device)
    try:
        asyncio.run(_Forwarding(address, newest, trust, report, stop or threading.Event()).run())
    finally:
        newest.stop()


def command(address: Address) -> str:
    """What to type where the SpaceMouse is plugged in."""
    words = ["apprentice", "forward", address.share or address.urls[0]]
    return shlex.join(words + (["--fingerprint", address.fingerprint] if address.fingerprint else []))


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


class _Forwarding:
    """One device and one session, over any number of connections."""

    def __init__(
        self,
        address: str,
        newest: _Newest,
        trust: bytes | None,
        report: Callable[[str], None],
        stop: threading.Event,
    ) -> None:
        self._address, self._newest, self._trust, self._report, self._stop = address, newest, trust, report, stop
        self._server = urlsplit(address).netloc
        self._hello = {
            "type": "hello",
            "name": f"SpaceMouse on {socket.gethostname()}",
            "kind": "device",
            "device": "spacemouse",
        }
        self._told: dict[str, str] = {}
        self._ended = False

    async def run(self) -> None:
        """Raises:
        UserError: If trying again cannot help.
        """
        import aiohttp

        async with aiohttp.ClientSession() as session:
            while not self._done:
                try:
                    await self._connect(session)
                except aiohttp.WSServerHandshakeError as error:
                    if error.status in (401, 403):
                        raise UserError(
                            f"Expected the token of the recording that runs now, the server answers {error.status}. "
                            "Copy the address again."
                        ) from error
                    self._tell("server", f"{self._server} answers {error.status}, trying again")
                except aiohttp.ServerFingerprintMismatch as error:
                    raise UserError(
                        f"Expected the certificate with the fingerprint {error.expected.hex()}, {self._server} shows "
                        f"{error.got.hex()}. Copy the command again from where the recording runs. If they still "
                        "differ, something else answers in its place."
                    ) from error
                except aiohttp.ClientConnectorCertificateError as error:
                    raise UserError(
                        f"Expected a certificate that this computer trusts, found: {error.certificate_error}. Add "
                        "--fingerprint with what the recording printed, or install the server's /ca.crt."
                    ) from error
                except aiohttp.ClientSSLError as error:
                    raise UserError(
                        f"Expected {self._server} to speak https, found: {error}. Copy the address again."
                    ) from error
                except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
                    self._tell("server", f"no connection to {self._server} ({error}), trying again")
                if not self._done:
                    await asyncio.sleep(RETRY_S)

    @property
    def _done(self) -> bool:
        return self._ended or self._stop.is_set()

    def _tell(self, about: str, text: str) -> None:
        """Report what is new about the device or the server."""
        if self._told.get(about) != text:
            self._told[about] = text
            self._report(text)

    async def _connect(self, session: ClientSession) -> None:
        from aiohttp import Fingerprint

        trust = Fingerprint(self._trust) if self._trust else True
        async with session.ws_connect(self._address, ssl=trust, heartbeat=5.0) as connection:
            await connection.send_str(json.dumps(self._hello))
            async with asyncio.timeout(WELCOME_S):
                welcomed = self._hear(await connection.receive())
            if not welcomed:
                return
            sender = asyncio.create_task(self._send(connection))
            try:
                while self._hear(await connection.receive()):
                    pass
            finally:
                sender.cancel()

    def _hear(self, message: WSMessage) -> bool:
        """Take in what the server says; False if that was the end of the connection."""
        if isinstance(message.data, str):
            given: dict[str, Any] = json.loads(message.data)
            if given.get("type") == "welcome":
                # with this, a server that has not noticed yet that the connection was cut takes the next one instead
                self._hello |= {"resume": given["resume"]} if "resume" in given else {}
                self._tell("server", f"connected to {self._server}")
            elif given.get("type") == "error":
                self._report(str(given.get("message")))
            return True
        reason = message.extra if isinstance(message.extra, str) else ""
        self._ended = message.data == GOING_AWAY
        if self._ended:
            self._tell("server", reason or "the session has ended")
        elif not self._stop.is_set():
            self._tell("server", f"disconnected from {self._server}{f' ({reason})' if reason else ''}, trying again")
        return False

    async def _send(self, connection: ClientWebSocketResponse) -> None:
        """Send until the connection closes."""
        with contextlib.suppress(ConnectionError):  # whoever listens finds out too
            await self._send_readings(connection)
            await connection.close()

    async def _send_readings(self, connection: ClientWebSocketResponse) -> None:
        """While the device can't be heard, nothing is sent."""
        sent: Reading | None = None
        number = 0
        while not self._stop.is_set() and not connection.closed:
            reading = self._newest.reading
            self._tell("device", f"SpaceMouse: {self._newest.detail}")
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


def _digest(fingerprint: str) -> bytes:
    try:
        digest = bytes.fromhex(fingerprint.replace(":", ""))
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise UserError(f'Expected a SHA-256 fingerprint of 64 hexadecimal digits, found "{fingerprint}".')
    return digest
