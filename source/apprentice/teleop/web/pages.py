"""The files of the operator's page, and what it takes to open it elsewhere."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from apprentice.teleop.web import qr
from apprentice.teleop.web.cfg import Address

STATIC = Path(__file__).parent / "static"
PAGES = {"/": "index.html", "/xr": "xr.html"}


def install(app: web.Application, address: Address) -> None:
    """Serve the page, its files, the QR code of its address and the certificate to trust."""

    def page(name: str) -> None:
        async def serve(_: web.Request) -> web.StreamResponse:
            return web.FileResponse(STATIC / PAGES[name])

        app.router.add_get(name, serve)

    async def qr_code(_: web.Request) -> web.StreamResponse:
        return web.Response(body=qr.svg(address.share or address.urls[0]), content_type="image/svg+xml")

    async def authority(_: web.Request) -> web.StreamResponse:
        if address.ca is None:
            raise web.HTTPNotFound(text="This session is served without https, there is no certificate to trust.\n")
        return web.Response(body=address.ca.read_bytes(), content_type="application/x-x509-ca-cert")

    for name in PAGES:
        page(name)
    app.router.add_get("/qr.svg", qr_code)
    app.router.add_get("/ca.crt", authority)
    app.router.add_static("/static", STATIC)
