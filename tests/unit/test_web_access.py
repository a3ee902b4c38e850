"""Only those who know the token are let in, only from pages of this server, and the 3D view is part of it."""

import asyncio
import contextlib
import ssl

import aiohttp
import pytest
import viser
from aiohttp import web as aioweb
from web_world import Ears, serving

from apprentice.errors import UserError
from apprentice.teleop.web import qr
from apprentice.teleop.web.cfg import WebCfg

HELLO = {"type": "hello", "name": "x", "kind": "page"}
EVERYTHING = ["/", "/xr", "/static/main.js", "/qr.svg", "/ca.crt", "/ws", "/cam", "/view", "/view/", "/view/x", "/none"]


@contextlib.asynccontextmanager
async def upstream():
    """A server with the habits of viser's: a page, files, and a socket with a subprotocol."""

    seen = {}

    async def everything(request):
        seen["headers"], seen["query"] = request.headers, request.query_string
        if request.headers.get("Upgrade", "").lower() == "websocket":
            socket = aioweb.WebSocketResponse(protocols=("viser-v1",))
            await socket.prepare(request)
            async for message in socket:
                if message.data == "bye":
                    await socket.close(code=1002)
                elif message.type == aiohttp.WSMsgType.TEXT:
                    await socket.send_str(message.data.upper())
                else:
                    await socket.send_bytes(message.data[::-1])
            return socket
        if request.path == "/missing":
            raise aioweb.HTTPNotFound
        return aioweb.Response(text=f"<p>{request.path}</p>", content_type="text/html")

    app = aioweb.Application()
    app.router.add_get("/{path:.*}", everything)
    runner = aioweb.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await aioweb.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1], seen
    finally:
        await runner.cleanup()


async def refused(session, url, **options) -> int:
    """Status with which a socket is refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await session.ws_connect(url, **options)
    return refusal.value.status


def test_without_the_token_there_is_nothing():
    async def run():
        async with upstream() as (port, seen), serving({"page": Ears()}, view_port=port) as web:
            for path in EVERYTHING:
                wrong = f"?token={'x' * len(web.address.token)}"
                for url in (
                    web.url(path),
                    web.url(path) + wrong,
                    web.url(path) + "?token=",
                    web.url(path) + "?token=é",
                ):
                    async with web.session.get(url) as answer:
                        assert answer.status == 401, url
                        assert "token" in await answer.text()
                        assert not answer.cookies
            for path in ("/ws", "/cam", "/view", "/view/"):
                assert await refused(web.session, web.url(path)) == 401
                assert await refused(web.session, web.url(path), origin=web.origin) == 401
            assert not seen

    asyncio.run(run())


def test_opening_the_address_once_lets_the_browser_in():
    async def run():
        async with serving({"page": Ears()}) as web:
            async with web.session.get(web.address.urls[0]) as answer:
                assert answer.status == 200
                assert "<html" in await answer.text()
                cookie = answer.headers["Set-Cookie"]
            assert str(web.address.port) in cookie.split("=")[0]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            for path in ("/", "/static/main.js", "/qr.svg"):
                async with web.session.get(web.url(path)) as answer:
                    assert answer.status == 200, path
            async with web.session.ws_connect(web.url("/ws"), origin=web.origin) as socket:
                await socket.send_json(HELLO)
                assert (await socket.receive_json(timeout=10))["task"] == "Stack"

    asyncio.run(run())


def test_pages_of_other_origins_cannot_drive_or_look():
    async def run():
        ears = Ears()
        async with upstream() as (port, seen), serving({"page": ears}, view_port=port) as web:
            async with web.session.get(web.address.urls[0]) as answer:
                assert answer.status == 200
            foreign = ("http://evil.example", "null", f"http://127.0.0.1:{web.address.port + 1}", web.origin + ".evil")
            for origin in foreign:
                for path in ("/ws", "/cam", "/view", "/view/"):
                    # not even with the token
                    for url in (web.url(path), web.url(path) + f"?token={web.address.token}"):
                        assert await refused(web.session, url, origin=origin) == 403
                async with web.session.get(web.url("/view/"), headers={"Origin": origin}) as answer:
                    assert answer.status == 403
            # a browser always says where a socket comes from: a cookie without that is not one's own
            assert await refused(web.session, web.url("/ws")) == 401
            assert not seen
            assert not ears.heard

    asyncio.run(run())


def test_a_name_that_was_pointed_at_this_machine_is_not_let_in():
    async def run():
        async with serving({}) as web:
            host = {"Host": f"evil.example:{web.address.port}"}
            origin = f"http://evil.example:{web.address.port}"
            assert await refused(web.session, web.url("/ws"), origin=origin, headers=host) == 401

    asyncio.run(run())


def test_answers_keep_the_token_from_leaking_and_the_page_from_being_framed():
    async def run():
        async with serving({}) as web:
            for url, status in ((web.address.urls[0], 200), (web.url("/none"), 404), (web.url("/static/main.js"), 200)):
                async with web.session.get(url) as answer:
                    assert answer.status == status
                    assert answer.headers["Referrer-Policy"] == "no-referrer"
                    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
                    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
                    assert answer.headers["Cache-Control"] in ("no-store", "no-cache")
            async with web.session.get(web.address.urls[0]) as answer:
                assert answer.headers["Cache-Control"] == "no-store"

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/static/../cfg.py", "/static/%2e%2e/cfg.py", "/static/..%2fcfg.py"])
def test_only_the_pages_own_files_are_served(path):
    async def run():
        async with serving({}) as web:
            reader, writer = await asyncio.open_connection("127.0.0.1", web.address.port)
            writer.write(f"GET {path} HTTP/1.0\r\nAuthorization: Bearer {web.address.token}\r\n\r\n".encode())
            answer = await reader.read()
            assert answer.split()[1] in (b"403", b"404")
            assert b"class WebCfg" not in answer
            writer.close()

    asyncio.run(run())


def test_the_3d_view_is_passed_through_without_the_secrets():
    async def run():
        async with upstream() as (port, seen), serving({"page": Ears()}, view_port=port) as web:
            async with web.session.get(web.address.urls[0]):
                pass
            async with web.session.get(web.url(f"/view/?token={web.address.token}")) as answer:
                assert (answer.status, await answer.text()) == (200, "<p>/</p>")
            assert web.address.token not in str(seen)
            assert "Cookie" not in seen["headers"]
            async with web.session.get(web.url("/view/deep/file")) as answer:
                assert await answer.text() == "<p>/deep/file</p>"
            async with web.session.get(web.url("/view/missing")) as answer:
                assert answer.status == 404
            async with web.session.get(web.url("/view")) as answer:
                assert answer.url.path == "/view/"

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/view", "/view/"])
def test_the_3d_views_socket_is_passed_through(path):
    async def run():
        async with upstream() as (port, _), serving({}, view_port=port) as web:
            async with web.session.get(web.address.urls[0]):
                pass
            protocols = ("viser-v1", "other")
            async with web.session.ws_connect(web.url(path), origin=web.origin, protocols=protocols) as socket:
                assert socket.protocol == "viser-v1"
                await socket.send_str("hello")
                assert await socket.receive_str(timeout=10) == "HELLO"
                await socket.send_bytes(b"abc")
                assert await socket.receive_bytes(timeout=10) == b"cba"
                await socket.send_str("bye")
                assert (await socket.receive(timeout=10)).data == 1002

    asyncio.run(run())


def test_a_view_that_has_stopped_is_an_error_and_not_a_hang():
    async def run():
        async with upstream() as (port, _):
            pass
        async with serving({}, view_port=port) as web:
            bearer = {"Authorization": f"Bearer {web.address.token}"}
            async with web.session.get(web.url("/view/"), headers=bearer) as answer:
                assert answer.status == 502
            assert await refused(web.session, web.url("/view"), headers=bearer) == 502

    asyncio.run(run())


def test_the_3d_views_socket_ends_with_the_3d_view():
    async def run():
        async with contextlib.AsyncExitStack() as stack:
            view = contextlib.AsyncExitStack()
            port, _ = await view.enter_async_context(upstream())
            web = await stack.enter_async_context(serving({}, view_port=port))
            socket = await web.socket("/view")
            await view.aclose()
            assert (await socket.receive(timeout=10)).type == aiohttp.WSMsgType.CLOSE

    asyncio.run(run())


def test_only_so_many_views_are_open_at_once():
    async def run():
        async with upstream() as (port, _), serving({}, view_port=port, max_clients=1) as web:
            socket = await web.socket("/view")
            bearer = {"Authorization": f"Bearer {web.address.token}"}
            assert await refused(web.session, web.url("/view"), headers=bearer) == 503
            await socket.send_str("bye")
            await socket.receive(timeout=10)
            again = await web.socket("/view")
            await again.send_str("hello")
            assert await again.receive_str(timeout=10) == "HELLO"

    asyncio.run(run())


@pytest.mark.parametrize("view", [True, False])
def test_pages_are_told_whether_there_is_a_3d_view(view):
    async def run():
        async with upstream() as (port, _), serving({}, view_port=port if view else None) as web:
            socket = await web.socket()
            await socket.send_json(HELLO)
            assert (await socket.receive_json(timeout=10))["view"] == ("/view/" if view else None)
            bearer = {"Authorization": f"Bearer {web.address.token}"}
            async with web.session.get(web.url("/view/"), headers=bearer) as answer:
                assert answer.status == (200 if view else 404)

    asyncio.run(run())


def test_a_real_viser_server_is_served_as_part_of_the_page():
    async def run():
        scene = viser.ViserServer(host="127.0.0.1", port=0, verbose=False)
        try:
            async with serving({}, view_port=scene.get_port()) as web:
                async with web.session.get(web.address.urls[0]):
                    pass
                async with web.session.get(web.url("/view/")) as answer:
                    assert answer.status == 200
                    assert "<title>Viser</title>" in await answer.text()
                protocols = (f"viser-v{viser.__version__}",)
                async with web.session.ws_connect(
                    web.url("/view"), origin=web.origin, protocols=protocols, max_msg_size=0
                ) as socket:
                    assert socket.protocol == protocols[0]
                    assert len(await socket.receive_bytes(timeout=10)) > 0
        finally:
            scene.stop()

    asyncio.run(run())


def test_https_is_trusted_by_devices_that_trust_the_authority(tmp_path):
    async def run():
        async with serving({"page": Ears()}, https="always", data_dir=tmp_path) as web:
            assert web.origin.startswith("https://")
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await web.session.get(web.address.urls[0])
            assert web.address.ca is not None
            trust = ssl.create_default_context(cafile=web.address.ca)
            # what Python 3.13 demands by default
            trust.verify_flags |= ssl.VERIFY_X509_STRICT
            async with web.session.get(web.address.urls[0], ssl=trust) as answer:
                assert answer.status == 200
                assert "Secure" in answer.headers["Set-Cookie"]
            async with web.session.get(web.url("/ca.crt"), ssl=trust) as answer:
                assert await answer.read() == web.address.ca.read_bytes()
                assert answer.content_type == "application/x-x509-ca-cert"
            trust_this = aiohttp.Fingerprint(bytes.fromhex(web.address.fingerprint or ""))
            async with web.session.get(web.address.urls[0], ssl=trust_this) as answer:
                assert answer.status == 200
            async with web.session.ws_connect(web.url("/ws"), origin=web.origin, ssl=trust) as socket:
                await socket.send_json(HELLO)
                await socket.receive_json(timeout=10)

    asyncio.run(run())


def test_without_https_there_is_no_certificate_to_trust():
    async def run():
        async with serving({}) as web, web.session.get(web.url("/ca.crt") + f"?token={web.address.token}") as answer:
            assert answer.status == 404

    asyncio.run(run())


def test_only_this_machine_is_served_and_unencrypted_unless_asked():
    assert WebCfg().on_this_machine_only
    assert not WebCfg().encrypted
    assert not WebCfg(host="localhost").encrypted
    assert not WebCfg(host="::1").encrypted
    for host in ("0.0.0.0", "::", "192.168.1.5", "bench.local"):
        assert WebCfg(host=host).encrypted
        assert not WebCfg(host=host, https="never").encrypted


def test_served_on_every_network_the_address_for_others_is_not_this_machines(tmp_path):
    async def run():
        async with serving({}, host="0.0.0.0", data_dir=tmp_path) as web:
            assert web.address.urls[0].startswith("https://localhost:")
            assert web.address.share in web.address.urls[1:]

    asyncio.run(run())


def test_every_session_has_its_own_token_unless_one_is_given():
    async def run():
        tokens = set()
        for _ in range(2):
            async with serving({}) as web:
                tokens.add(web.address.token)
        async with serving({}, token="mine-mine-mine-mine") as web:
            assert web.address.urls[0].endswith("?token=mine-mine-mine-mine")
        assert len(tokens) == 2
        assert min(map(len, tokens)) >= 32

    asyncio.run(run())


@pytest.mark.parametrize("wrong", [{"token": "short"}, {"token": "a" * 20 + "&"}, {"port": 70_000}])
def test_wrong_settings_are_refused_with_what_was_expected(wrong):
    with pytest.raises(UserError, match="Expected a"):
        WebCfg(**wrong)


def test_the_qr_code_is_a_picture_for_screens_and_terminals():
    url = "https://192.168.7.5:8765/?token=" + "x" * 32
    assert b"<svg" in qr.svg(url)
    assert qr.for_terminal(url).count("\n") > 10
