"""The live 3D view below /view/, so that it is of one origin with the page: viser's own server, passed through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, hdrs, web

from apprentice.teleop.web.outbox import close_socket

PREFIX = "/view"
LONGEST_FROM_CLIENT = 1 << 20
"""Bytes. A page tells viser about cameras and clicks."""
STALL_S = 30.0
"""A scene is large, and a slow network may need long for it."""
PASSED_ON = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING)
PASSED_BACK = (hdrs.CONTENT_TYPE, hdrs.CONTENT_ENCODING)
NOT_RUNNING = "The 3D view is not running.\n"


class ViewProxy:
    """Passes requests and sockets on to a viser server on this machine."""

    def __init__(self, port: int, max_clients: int) -> None:
        self._upstream = f"http://127.0.0.1:{port}"
        self._max_clients = max_clients
        self._open = 0
        self._session: aiohttp.ClientSession | None = None

    def install(self, app: web.Application) -> None:
        """Serve everything below the prefix. Viser's page opens its socket at the prefix itself."""
        app.cleanup_ctx.append(self._with_session)
        app.router.add_get(PREFIX, self._at_prefix)
        app.router.add_get(PREFIX + "/{path:.*}", self._pass_on)

    async def _with_session(self, _: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=2.0, sock_read=STALL_S)
        async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as self._session:
            yield

    async def _at_prefix(self, request: web.Request) -> web.StreamResponse:
        if not _wants_socket(request):
            raise web.HTTPFound(PREFIX + "/")
        return await self._pass_socket_on(request, "/")

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        path = "/" + request.match_info["path"]
        return await (self._pass_socket_on if _wants_socket(request) else self._pass_page_on)(request, path)

    async def _pass_page_on(self, request: web.Request, path: str) -> web.StreamResponse:
        assert self._session is not None
        # the query and the cookies stay here: they hold the token
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        try:
            async with self._session.get(self._upstream + path, headers=headers, allow_redirects=False) as answer:
                back = {name: answer.headers[name] for name in PASSED_BACK if name in answer.headers}
                return web.Response(status=answer.status, headers=back, body=await answer.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise web.HTTPBadGateway(text=NOT_RUNNING) from error

    async def _pass_socket_on(self, request: web.Request, path: str) -> web.StreamResponse:
        assert self._session is not None
        if self._open >= self._max_clients:
            raise web.HTTPServiceUnavailable(text=f"{self._max_clients} views are open, close one first.\n")
        asked = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "")
        protocols = [name.strip() for name in asked.split(",") if name.strip()]
        self._open += 1
        try:
            async with self._session.ws_connect(
                self._upstream + path, protocols=protocols, max_msg_size=0, compress=0, autoclose=False
            ) as upstream:
                return await self._join(request, upstream)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise web.HTTPBadGateway(text=NOT_RUNNING) from error
        finally:
            self._open -= 1

    async def _join(self, request: web.Request, upstream: aiohttp.ClientWebSocketResponse) -> web.StreamResponse:
        client = web.WebSocketResponse(
            protocols=(upstream.protocol,) if upstream.protocol else (),
            compress=False,
            heartbeat=STALL_S,
            max_msg_size=LONGEST_FROM_CLIENT,
            timeout=1.0,
        )
        await client.prepare(request)
        transport = request.transport
        if transport is None:
            return client
        both = [asyncio.create_task(_pump(client, upstream)), asyncio.create_task(_pump(upstream, client))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            code = upstream.close_code
            # codes like 1006 say what a socket saw and cannot be sent
            sendable = code is not None and (code in (1000, 1001, 1002, 1003, 1011, 1012, 1013) or 3000 <= code < 5000)
            await close_socket(client, transport, code if sendable and code else WSCloseCode.GOING_AWAY, "")
        return client


async def _pump(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    sink: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    while True:
        message = await source.receive()
        if message.type == WSMsgType.BINARY:
            async with asyncio.timeout(STALL_S):
                await sink.send_bytes(message.data)
        elif message.type == WSMsgType.TEXT:
            async with asyncio.timeout(STALL_S):
                await sink.send_str(message.data)
        else:
            return


def _wants_socket(request: web.Request) -> bool:
    return request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
