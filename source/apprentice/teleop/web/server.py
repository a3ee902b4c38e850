"""The server of the operator's page: a thread with a loop of its own, which nothing else has to wait for."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from typing import Any

from aiohttp import web

from apprentice.teleop.sources.base import Receiver
from apprentice.teleop.web import addresses, pages
from apprentice.teleop.web.access import Access
from apprentice.teleop.web.certificates import Certificates, certificates, data_dir
from apprentice.teleop.web.cfg import Address, WebCfg
from apprentice.teleop.web.connections import Gate, fault_logger, listen
from apprentice.teleop.web.hub import Hub
from apprentice.teleop.web.inbox import Inbox
from apprentice.teleop.web.proxy import PREFIX, ViewProxy
from apprentice.teleop.web.sockets import CameraSockets, ControlSockets, encode_picture
from apprentice.teleop.web.state import STATUS, StateSender, to_json

IDLE_S = 10.0
"""A connection that asks for nothing is closed after this."""
CONNECTIONS_PER_CLIENT = 8
"""A browser opens six for files, besides its sockets."""
RELIEVE_EVERY_S = 0.5
STOP_S = 6.0


class PageServer:
    """Serves the operator's page. What it hears goes to the receivers, in its own thread."""

    def __init__(
        self,
        cfg: WebCfg,
        receivers: Mapping[str, Receiver],
        welcome: Mapping[str, Any],
        *,
        view_port: int | None = None,
    ) -> None:
        """Serve nothing yet.

        Args:
            cfg: Where to listen, and limits.
            receivers: "page" hears the page that drives, the others the forwarded devices of their names.
            welcome: Told to every client that connects.
            view_port: Where viser listens on this machine; None for no 3D view.
        """
        self._cfg = cfg
        self._receivers = receivers
        self._welcome = welcome
        self._view_port = view_port
        self._status = Inbox[str]()
        self._pictures = Inbox[bytes]()
        self._pulses = Inbox[str]()
        self._thread: threading.Thread | None = None
        self._end: Callable[[], None] = lambda: None

    def start(self) -> Address:
        """Begin to serve. Returns when the page can be opened.

        Raises:
            UserError: If the host or port cannot be used, or the certificates are broken.
        """
        listening = listen(self._cfg.host, self._cfg.port)
        try:
            names = [*addresses.own_names(), *addresses.reachable(self._cfg.host)]
            tls = certificates(names, (self._cfg.data_dir or data_dir()) / "https") if self._cfg.encrypted else None
            address = _address(self._cfg, listening.getsockname()[1], tls)
            context = tls.context() if tls else None
        except BaseException:
            listening.close()
            raise
        ready = Future[None]()
        serve = lambda: asyncio.run(self._serve(address, listening, context, ready))  # noqa: E731
        self._thread = threading.Thread(target=serve, name="page-server", daemon=True)
        self._thread.start()
        ready.result()
        return address

    def publish(self, status: Mapping[str, Any]) -> None:
        """Tell all pages how the session is. Returns at once, from any thread; the newest counts."""
        self._status.put(STATUS, to_json(status))

    def show(self, camera: str, jpeg: bytes) -> None:
        """Show a camera's picture. Returns at once, from any thread; the newest counts."""
        self._pictures.put(camera, encode_picture(camera, jpeg))

    def pulse(self, hand: str, strength: float, ms: int) -> None:
        """Let the driver's hand feel a pulse, 0 to 1, where the device can. Returns at once, from any thread."""
        self._pulses.put(hand, to_json({"type": "pulse", "hand": hand, "strength": strength, "ms": ms}))

    def stop(self) -> None:
        """Close everything. Doing so twice does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._end()
            thread.join(STOP_S)

    async def _serve(
        self, address: Address, listening: socket.socket, context: ssl.SSLContext | None, ready: Future[None]
    ) -> None:
        try:
            async with self._running(address, listening, context):
                loop, end = asyncio.get_running_loop(), asyncio.Event()
                self._end = lambda: _call(loop, end.set)
                ready.set_result(None)
                await end.wait()
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    @contextlib.asynccontextmanager
    async def _running(
        self, address: Address, listening: socket.socket, context: ssl.SSLContext | None
    ) -> AsyncIterator[None]:
        news = asyncio.Event()
        hub = Hub(self._receivers, self._cfg.max_clients, news.set)
        view = ViewProxy(self._view_port, self._cfg.max_clients) if self._view_port is not None else None
        control = ControlSockets(self._cfg, hub, {**self._welcome, "view": f"{PREFIX}/" if view else None})
        cameras = CameraSockets(self._cfg)
        state = StateSender(hub, control, news, self._cfg.state_hz)

        app = web.Application()
        Access(address.token, address.port, encrypted=context is not None).install(app)
        app.router.add_get("/ws", control.serve)
        app.router.add_get("/cam", cameras.serve)
        if view is not None:
            view.install(app)
        pages.install(app, address)

        runner = web.AppRunner(
            app, logger=fault_logger(), access_log=None, keepalive_timeout=IDLE_S, shutdown_timeout=1.0
        )
        await runner.setup()
        handlers = runner.server
        assert handlers is not None, "the runner was set up"
        most = CONNECTIONS_PER_CLIENT * self._cfg.max_clients
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Gate(handlers, most),
            sock=listening,
            ssl=context,
            ssl_handshake_timeout=IDLE_S if context else None,
        )
        inboxes = (self._status, self._pictures, self._pulses)
        self._status.open(loop, state.update)
        self._pictures.open(loop, cameras.show)
        self._pulses.open(loop, lambda pulses: [hub.pulse(hand, text) for hand, text in pulses.items()])
        tasks = [asyncio.create_task(state.send()), asyncio.create_task(_relieve(hub))]
        try:
            yield
        finally:
            for inbox in inboxes:
                inbox.close()
            for task in tasks:
                task.cancel()
            server.close()
            await asyncio.gather(control.close("the session has ended"), cameras.close("the session has ended"))
            await runner.cleanup()


async def _relieve(hub: Hub) -> None:
    while True:
        await asyncio.sleep(RELIEVE_EVERY_S)
        hub.relieve(time.monotonic())


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(what)


def _address(cfg: WebCfg, port: int, tls: Certificates | None) -> Address:
    token = cfg.token or secrets.token_urlsafe(24)
    scheme = "https" if tls else "http"
    hosts = addresses.reachable(cfg.host)
    urls = tuple(f"{scheme}://{addresses.bracketed(host)}:{port}/?token={token}" for host in hosts)
    # where every network is served, the first is this machine's own
    elsewhere = () if cfg.on_this_machine_only else urls[1:] if cfg.host in addresses.ANYWHERE else urls
    return Address(
        host=cfg.host,
        port=port,
        token=token,
        urls=urls,
        share=next(iter(elsewhere), None),
        ca=tls.ca if tls else None,
        fingerprint=tls.fingerprint if tls else None,
    )
