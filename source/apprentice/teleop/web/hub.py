"""Who is there and who drives. Everything here happens in the server's loop."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import WSCloseCode

from apprentice.teleop.sources.base import Receiver
from apprentice.teleop.web.messages import Control, DeviceReading, Drive, Hello, Malformed, Message, Ping

PAGE = "page"
"""Name of the receiver that hears the page that drives."""
SILENT_S = 5.0
"""A page sends 20 times a second. One that is silent for this long hangs, even if its browser still answers."""


class Mail(Protocol):
    """How a client is written to."""

    def answer(self, text: str) -> None: ...
    def replace(self, key: str, message: str | bytes) -> None: ...
    def cut(self) -> None: ...


class Refused(Exception):
    """A client cannot stay."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(kw_only=True, eq=False)
class Client:
    """One open page or forwarded device."""

    id: str
    hello: Hello
    mail: Mail
    heard_s: float
    """When it last said what it does, on the monotonic clock."""
    resume: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    """Secret with which it comes back as the same one, when its connection was cut."""


class Hub:
    """Lets messages of the driver through, and of nobody else. Receivers are called here: they must be fast."""

    def __init__(self, receivers: Mapping[str, Receiver], max_clients: int, on_change: Callable[[], None]) -> None:
        self._receivers = receivers
        self._max_clients = max_clients
        self._on_change = on_change
        self._clients: dict[str, Client] = {}
        self._driver: Client | None = None
        self._missed: Client | None = None
        """Who drove until the connection was cut, while nobody else does."""
        self._numbers = itertools.count(1)

    @property
    def pages(self) -> list[Client]:
        return [client for client in self._clients.values() if client.hello.kind != "device"]

    @property
    def driver(self) -> Client | None:
        return self._driver

    def roster(self) -> dict[str, Any]:
        """Who is there and who drives, as pages are told."""
        people = [
            {
                "id": client.id,
                "name": client.hello.name,
                "kind": client.hello.kind,
                "role": "driver" if client is self._driver else "watcher",
            }
            for client in self._clients.values()
        ]
        return {"clients": people, "driver": self._driver.id if self._driver else None}

    def join(self, hello: Hello, mail: Mail, now_s: float) -> Client:
        """Let a client in. The first page drives, and one that drove until its connection was cut drives again.

        Raises:
            Refused: If there are too many, or the device is unknown or already here.
        """
        old = self._same(hello)
        if old is not None:  # the connection that it had is dead, which may take long to be noticed
            old.mail.cut()
            self.leave(old, f"{old.hello.name} connects again")
        if len(self._clients) >= self._max_clients:
            raise Refused(WSCloseCode.TRY_AGAIN_LATER, f"{self._max_clients} clients are connected, close one first")
        if hello.kind == "device":
            self._check_device(hello.device)
        may_drive = not self.pages or (self._missed is not None and self._missed.resume == hello.resume)
        client = Client(id=f"c{next(self._numbers)}", hello=hello, mail=mail, heard_s=now_s)
        self._clients[client.id] = client
        if may_drive and self._driver is None and hello.kind != "device" and PAGE in self._receivers:
            self._driver, self._missed = client, None
        self._on_change()
        return client

    def leave(self, client: Client, reason: str) -> None:
        """A client's socket is closed. Saying so twice does nothing."""
        if self._clients.pop(client.id, None) is None:
            return
        if client is self._driver:
            self._hand_over(None, reason)
            self._missed = client
        elif client.hello.device is not None:
            self._receivers[client.hello.device].lost(reason)
        self._on_change()

    def handle(self, client: Client, message: Message, arrived_s: float) -> None:
        """Do what a message says.

        Raises:
            Malformed: If its kind of client may not send it.
            ValueError: From the receiver: what is wrong with it.
        """
        if client.id not in self._clients:
            return  # it connected again, and this is what its old connection still brings
        match message:
            case Ping(t=t):
                client.mail.answer(json.dumps({"type": "pong", "t": t}))
            case Drive(body=body) if client.hello.kind != "device":
                client.heard_s = arrived_s
                if client is self._driver:
                    self._receivers[PAGE].receive(body, arrived_s)
            case DeviceReading(device=device, body=body) if device == client.hello.device:
                self._receivers[device].receive(body, arrived_s)
            case Control() if client.hello.kind != "device":
                self._control(client, message, arrived_s)
            case Hello():
                raise Malformed("expected one hello, got another")
            case _:
                raise Malformed(f"a client of kind {client.hello.kind} cannot send {type(message).__name__} messages")

    def relieve(self, now_s: float) -> None:
        """Take the wheel from a driver who hangs, if there is somebody who could want it."""
        driver = self._driver
        if driver is not None and now_s - driver.heard_s > SILENT_S and len(self.pages) > 1:
            self._hand_over(None, f"{driver.hello.name} is silent")

    def pulse(self, hand: str, message: str) -> None:
        """Let the driver's hand feel something."""
        if self._driver is not None:
            self._driver.mail.replace(f"pulse {hand}", message)

    def _control(self, client: Client, wish: Control, now_s: float) -> None:
        client.heard_s = now_s
        if wish.ask == "take":
            self._take(client)
        elif client is not self._driver:
            self._explain(client, "Only the one who drives can hand over.")
        elif wish.ask == "release":
            self._hand_over(None, f"{client.hello.name} let go")
        else:
            heir = self._clients.get(wish.to or "")
            if heir is None or heir.hello.kind == "device":
                self._explain(client, "The one to drive is not here any more.")
            elif heir is not client:
                heir.heard_s = now_s
                self._hand_over(heir, f"{client.hello.name} handed over to {heir.hello.name}")

    def _take(self, client: Client) -> None:
        if PAGE not in self._receivers:
            self._explain(client, "No page can drive in this session: it listens to other devices only.")
        elif self._driver is None:
            self._hand_over(client, "")
        elif self._driver is not client:
            self._explain(client, f"{self._driver.hello.name} drives and has to hand over first.")

    def _hand_over(self, heir: Client | None, reason: str) -> None:
        # first nobody drives: whatever the receiver does, what was held before must not count for the heir
        driver, self._driver, self._missed = self._driver, None, None
        try:
            if driver is not None:
                self._receivers[PAGE].lost(reason)
        finally:
            self._driver = heir
            self._on_change()

    def _same(self, hello: Hello) -> Client | None:
        """The client that says hello again."""
        return next((client for client in self._clients.values() if client.resume == hello.resume), None)

    def _explain(self, client: Client, text: str) -> None:
        client.mail.answer(json.dumps({"type": "error", "message": text}))

    def _check_device(self, device: str | None) -> None:
        known = [name for name in self._receivers if name != PAGE]
        if device not in known:
            expected = " or ".join(known) if known else "no device, as this session listens to none"
            raise Refused(WSCloseCode.POLICY_VIOLATION, f"expected {expected}, got {device!r}")
        if any(client.hello.device == device for client in self._clients.values()):
            raise Refused(WSCloseCode.POLICY_VIOLATION, f"{device} is connected already, from another client")
