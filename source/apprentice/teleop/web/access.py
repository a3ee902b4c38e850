"""Who is let in: those who know the token, from pages of this very server."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from apprentice.teleop.web.proxy import PREFIX as VIEW

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
# viser's page is one file that unpacks itself, scripts, workers and WebAssembly, and it evaluates text
VIEW_POLICY = (
    "default-src 'self' blob: data:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; "
    "style-src 'self' 'unsafe-inline' blob: data:; worker-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
HEADERS = {
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Access:
    """Checks every request, and what every answer lets a browser do."""

    def __init__(self, token: str, port: int, *, encrypted: bool) -> None:
        self._token = token.encode()
        # browsers keep one jar for all ports of a host
        self._cookie = f"apprentice-{port}"
        self._encrypted = encrypted

    def install(self, app: web.Application) -> None:
        """Stand before everything that `app` serves."""
        app.middlewares.append(self._guard)
        app.on_response_prepare.append(self._add_headers)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        upgrade = request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and not _same(origin, request.headers.get(hdrs.HOST)):
            raise web.HTTPForbidden(text=f"Expected a page of this server, got one of {origin[:80]}.\n")
        brings_token = self._matches(_brought(request))
        # browsers always name the origin of a socket. Other programs have no cookies: they show the token itself
        by_cookie = self._matches(request.cookies.get(self._cookie)) and not (upgrade and origin is None)
        if not (brings_token or by_cookie):
            raise web.HTTPUnauthorized(
                text="Open the address that `apprentice record` printed. It ends with ?token= and a secret.\n"
            )
        response = await handler(request)
        if brings_token and not upgrade:
            response.set_cookie(
                self._cookie,
                self._token.decode(),
                path="/",
                httponly=True,
                samesite="Strict",
                secure=self._encrypted,
            )
        return response

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(HEADERS)
        response.headers["Content-Security-Policy"] = VIEW_POLICY if request.path.startswith(VIEW) else PAGE_POLICY
        if "token" in request.query:
            response.headers["Cache-Control"] = "no-store"

    def _matches(self, secret: str | None) -> bool:
        return secret is not None and secrets.compare_digest(secret.encode(errors="replace"), self._token)


def _brought(request: web.Request) -> str | None:
    scheme, _, secret = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return secret if scheme == "Bearer" else request.query.get("token")


def _same(origin: str, host: str | None) -> bool:
    # the scheme is not compared: a tunnel or proxy in front may add https
    return host is not None and urlsplit(origin).netloc.lower() == host.lower()
