"""Who drives, who watches, and what nobody can do to the session."""

import asyncio
import contextlib
import json
import random
import socket
import threading
import time

import aiohttp
import pytest
from web_world import Ears, serving

from apprentice.errors import UserError
from apprentice.teleop.web.cfg import WebCfg
from apprentice.teleop.web.server import PageServer


def test_the_first_page_drives_and_the_others_only_watch():
    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            web.server.publish({"state": "ready"})
            driver, watcher = await web.page("laptop"), await web.page("tablet")
            state = await watcher.until(driver=driver.id, clients=state_clients(driver, watcher))
            assert state["state"] == "ready"
            await watcher.input(keys=["KeyW"])
            await watcher.say(type="command", name="discard")
            await watcher.settled()
            assert ears.heard == []
            await driver.input(keys=["KeyW"])
            await driver.say(type="command", name="start")
            await driver.settled()
            assert [message["type"] for message in ears.heard] == ["input", "command"]
            assert ears.heard[0]["keys"] == ["KeyW"]

    def state_clients(driver, watcher):
        return [
            {"id": driver.id, "name": "laptop", "kind": "page", "role": "driver"},
            {"id": watcher.id, "name": "tablet", "kind": "page", "role": "watcher"},
        ]

    asyncio.run(run())


def test_handing_over_releases_everything_before_the_next_driver_counts():
    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            first, second = await web.page("laptop"), await web.page("headset", kind="xr")
            await second.input()
            await first.say(type="control", ask="give", to=second.id)
            await first.settled()
            assert ears.losses == ["laptop handed over to headset"]
            mine = await second.input()
            await first.input()
            await second.settled()
            await first.settled()
            assert ears.seqs == [mine]

    asyncio.run(run())


def test_a_wheel_that_is_taken_cannot_be_taken():
    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            driver, watcher = await web.page("laptop"), await web.page("tablet")
            for ask in ({"ask": "take"}, {"ask": "release"}, {"ask": "give", "to": watcher.id}):
                await watcher.say(type="control", **ask)
                assert (await watcher.hear("error"))["message"]
            await driver.say(type="control", ask="give", to="nobody")
            assert "not here" in (await driver.hear("error"))["message"]
            await driver.input()
            await driver.settled()
            assert len(ears.seqs) == 1
            assert ears.losses == []

    asyncio.run(run())


def test_letting_go_frees_the_wheel_for_whoever_takes_it():
    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            web.server.publish({})
            driver, watcher = await web.page("laptop"), await web.page("tablet")
            await driver.say(type="control", ask="release")
            await watcher.until(driver=None)
            await watcher.say(type="control", ask="take")
            await watcher.until(driver=watcher.id)
            await watcher.input()
            await watcher.settled()
            assert ears.losses == ["laptop let go"]
            assert len(ears.seqs) == 1

    asyncio.run(run())


def test_closing_the_page_that_drives_stops_the_robot_and_frees_the_wheel():
    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            web.server.publish({})
            driver, watcher = await web.page("laptop"), await web.page("tablet")
            await watcher.until(driver=driver.id)
            await driver.socket.close()
            await watcher.until(driver=None)
            assert ears.losses == ["the page was closed"]
            # a third page does not grab what others are waiting for
            third = await web.page("phone")
            await third.input()
            await third.settled()
            assert ears.heard == []

    asyncio.run(run())


def test_a_page_that_was_alone_drives_again_after_it_was_reloaded():
    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            web.server.publish({})
            for _ in range(3):
                page = await web.page()
                await page.until(driver=page.id)
                await page.socket.close()

    asyncio.run(run())


def test_a_driver_whose_network_is_dead_loses_the_wheel():
    async def run():
        ears = Ears()
        async with serving({"page": ears}, stall_s=0.4) as web:
            web.server.publish({})
            # nobody reads this socket, so that no ping is answered
            dead = await web.page("laptop")
            watcher = await web.page("tablet")
            await watcher.until(driver=dead.id)
            await watcher.until(driver=None)
            assert ears.losses == ["the page was closed"]

    asyncio.run(run())


def test_a_driver_whose_connection_is_cut_drives_on_with_the_next_and_the_robot_was_let_go():
    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            web.server.publish({})
            old, watcher = await web.page("laptop"), await web.page("tablet")
            await watcher.until(driver=old.id)
            # the server takes the old one for alive still
            again = await web.page("laptop", resume=old.resume)
            state = await watcher.until(driver=again.id)
            assert [client["id"] for client in state["clients"]] == [watcher.id, again.id]
            assert ears.losses == ["laptop connects again"]
            await again.socket.close()
            await watcher.until(driver=None)
            # somebody else's secret does not help
            other = await web.page("phone", resume=watcher.resume + "x")
            third = await web.page("laptop", resume=again.resume)
            await watcher.until(driver=third.id)
            await third.socket.close()
            await watcher.until(driver=None)
            await watcher.say(type="control", ask="take")
            await other.until(driver=watcher.id)
            late = await web.page("laptop", resume=third.resume)
            await late.input()
            await late.settled()
            assert ears.heard == []

    asyncio.run(run())


def test_a_page_that_hangs_while_its_browser_answers_loses_the_wheel(monkeypatch):
    monkeypatch.setattr("apprentice.teleop.web.hub.SILENT_S", 0.5)

    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            web.server.publish({})
            hung = await web.page("laptop")
            await hung.until(driver=hung.id)
            watcher = await web.page("tablet")
            await watcher.until(driver=None)
            assert ears.losses == ["laptop is silent"]

    asyncio.run(run())


def test_malformed_messages_close_the_socket_with_a_reason():
    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            for wrong, reason in {
                "no json": "expected JSON",
                '{"type":"input","seq":1,"t":NaN}': "finite",
                '{"type":"sing"}': "expected a message of type",
                '{"type":"input","seq":1,"t":0,"bad":1}': "expected nothing bad",
            }.items():
                page = await web.page()
                await page.socket.send_str(wrong)
                code, why = await page.closed()
                assert code == aiohttp.WSCloseCode.POLICY_VIOLATION
                assert reason in why
            page = await web.page()
            await page.socket.send_bytes(b"bytes")
            assert (await page.closed())[0] == aiohttp.WSCloseCode.UNSUPPORTED_DATA
            assert ears.heard == []
            assert len(ears.losses) == 5

    asyncio.run(run())


def test_oversized_messages_close_the_socket_with_a_reason():
    async def run():
        ears = Ears()
        async with serving({"page": ears}, max_message_bytes=2_000) as web:
            page = await web.page()
            await page.say(type="input", seq=1, t=0, keys="x" * 3_000)
            code, why = await page.closed()
            assert code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
            assert "at most 2000 bytes" in why
            assert ears.heard == []

    asyncio.run(run())


def test_huge_messages_are_not_even_read():
    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            page = await web.page()
            with contextlib.suppress(ConnectionError):
                await page.say(type="input", seq=1, t=0, keys="x" * 50_000_000)
            while not page.socket.closed:
                await page.socket.receive(timeout=10)
            watcher = await web.page()
            await watcher.settled()
            assert ears.heard == []
            assert len(ears.losses) == 1

    asyncio.run(run())


def test_a_flood_of_messages_closes_the_socket():
    async def run():
        async with serving({"page": Ears()}, max_messages_hz=20) as web:
            page = await web.page()
            for _ in range(200):
                await page.input()
            code, why = await page.closed()
            assert code == aiohttp.WSCloseCode.POLICY_VIOLATION
            assert "messages a second" in why

    asyncio.run(run())


def test_a_fault_of_ours_stops_the_robot_and_not_the_server():
    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            page = await web.page()
            await page.input(fault=True)
            assert (await page.closed())[0] == aiohttp.WSCloseCode.INTERNAL_ERROR
            assert len(ears.losses) == 1
            page = await web.page()
            await page.input()
            await page.settled()
            assert len(ears.seqs) == 1

    asyncio.run(run())


def test_a_device_has_one_client_at_a_time():
    async def run():
        page, mouse = Ears(), Ears()
        async with serving({"page": page, "spacemouse": mouse}) as web:
            device = await web.page("forwarder", kind="device", device="spacemouse")
            await device.say(type="device", device="spacemouse", seq=1, t=0.0, twist=[0] * 6, buttons=[0, 0])
            await device.settled()
            assert len(mouse.heard) == 1
            for name, reason in {"spacemouse": "connected already", "page": "expected spacemouse"}.items():
                second = await web.socket()
                await second.send_json({"type": "hello", "name": "x", "kind": "device", "device": name})
                message = await second.receive(timeout=10)
                assert message.data == aiohttp.WSCloseCode.POLICY_VIOLATION
                assert reason in message.extra
            await device.socket.close()
            # the first one's place is free as soon as the server knows
            watcher = await web.page()
            await watcher.settled()
            assert mouse.losses == ["the page was closed"]
            again = await web.page("forwarder", kind="device", device="spacemouse")
            await again.settled()
            assert page.heard == []

    asyncio.run(run())


def test_a_forwarded_device_neither_drives_as_a_page_nor_speaks_for_another_device():
    async def run():
        receivers = {"page": Ears(), "left": Ears(), "right": Ears()}
        async with serving(receivers) as web:
            for wrong in (
                {"type": "device", "device": "right", "seq": 1, "t": 0},
                {"type": "input", "seq": 1, "t": 0},
                {"type": "control", "ask": "take"},
            ):
                device = await web.page(kind="device", device="left")
                await device.say(**wrong)
                assert (await device.closed())[0] == aiohttp.WSCloseCode.POLICY_VIOLATION
            assert all(not ears.heard for ears in receivers.values())

    asyncio.run(run())


def test_a_hundred_clients_that_connect_and_stall_leave_the_driver_alone():
    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            driver = await web.page("laptop")
            pictures = await web.socket("/cam")
            host, port = "127.0.0.1", web.address.port
            connections = [await asyncio.open_connection(host, port) for _ in range(100)]
            ask = f"GET {{}} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {web.address.token}\r\n"
            upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            for index, (_, writer) in enumerate(connections):
                # some say nothing, some half a request, some open sockets and never read
                words = ["", "GET / HT", ask.format("/cam") + upgrade + key, ask.format("/ws") + upgrade + key]
                writer.write(words[index % 4].encode())
            stop = threading.Event()

            def control_loop():
                step = 0
                while not stop.is_set():
                    step += 1
                    web.server.publish({"step": step})
                    web.server.show("front", bytes(100_000))
                    time.sleep(0.005)

            loop = threading.Thread(target=control_loop)
            loop.start()
            try:
                steps = []
                for _ in range(30):
                    await driver.input()
                    steps.append((await driver.hear("state"))["step"])
                    assert (await pictures.receive(timeout=10)).data[:6] == b"\x05front"
            finally:
                stop.set()
                loop.join()
            await driver.settled()
            assert steps == sorted(set(steps))
            assert len(ears.seqs) == 30
            for _, writer in connections:
                writer.close()

    asyncio.run(run())


def test_nonsense_on_the_wire_leaves_the_driver_alone(caplog):
    key = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n"
    upgrade = key.format("dGhlIHNhbXBsZSBub25jZQ==")
    noise = random.Random(1)

    async def nonsense(web):
        reader, writer = await asyncio.open_connection("127.0.0.1", web.address.port)
        path = noise.choice(["/ws", "/cam", "/", "/%ff", "/view/"])
        token = noise.choice([web.address.token, "\xff\xfe", ""])
        writer.write(f"GET {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n{upgrade}\r\n".encode("latin1"))
        await reader.read(100)
        hello = b'{"type":"hello","name":"x","kind":"page"}'
        for body in (noise.choice([hello, noise.randbytes(40)]), noise.randbytes(100)):
            # a frame of text, unmasked by a mask of zeros
            frame = bytes((0x81, 0x80 | len(body), 0, 0, 0, 0)) + body
            writer.write(noise.choice([frame, noise.randbytes(50)]))
        await asyncio.sleep(noise.random() * 0.05)
        writer.transport.abort()

    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            driver = await web.page()
            for _ in range(8):
                await asyncio.gather(*(nonsense(web) for _ in range(25)), return_exceptions=True)
            await driver.input()
            await driver.settled()
            assert len(ears.heard) == 1
            assert ears.losses == []

    asyncio.run(run())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_connections_beyond_the_limit_are_cut_and_not_queued():
    async def run():
        async with serving({"page": Ears()}, max_clients=2) as web:
            driver = await web.page()
            connections = [await asyncio.open_connection("127.0.0.1", web.address.port) for _ in range(40)]
            # a connection that is cut ends at once; those that are let in say nothing until they are asked
            endings = {asyncio.ensure_future(reader.read()) for reader, _ in connections}
            cut, kept = await asyncio.wait(endings, timeout=1)
            assert len(cut) == 40 - 15
            for ending in kept:
                ending.cancel()
            await asyncio.gather(*endings, return_exceptions=True)
            await driver.settled()
            for _, writer in connections:
                writer.close()

    asyncio.run(run())


def test_more_clients_than_allowed_are_told_so():
    async def run():
        async with serving({"page": Ears()}, max_clients=2) as web:
            pages = [await web.page(), await web.page()]
            third = await web.socket()
            await third.send_json({"type": "hello", "name": "x", "kind": "page"})
            message = await third.receive(timeout=10)
            assert message.data == aiohttp.WSCloseCode.TRY_AGAIN_LATER
            await pages[0].settled()

    asyncio.run(run())


def test_a_client_that_never_says_hello_is_closed(monkeypatch):
    monkeypatch.setattr("apprentice.teleop.web.sockets.HELLO_S", 0.2)

    async def run():
        async with serving({"page": Ears()}) as web:
            silent = await web.socket()
            assert (await silent.receive(timeout=10)).data == aiohttp.WSCloseCode.POLICY_VIOLATION

    asyncio.run(run())


def test_a_slow_viewer_gets_new_pictures_and_skips_old_ones():
    async def run():
        async with serving({}, stall_s=30.0) as web:
            viewer = await web.socket("/cam", max_msg_size=0)
            first = b"\xff" * 400_000
            web.server.show("front", first)
            assert (await viewer.receive(timeout=10)).data == b"\x05front" + first
            sent = 200
            for index in range(sent):
                web.server.show("front", bytes((index,)) * 400_000)
                await asyncio.sleep(0.005)
            # aiohttp's client reads ahead only a little; what is in flight is older, then comes the newest
            got = []
            while not got or got[-1] != sent - 1:
                got.append((await viewer.receive(timeout=10)).data[-1])
            assert got == sorted(set(got))
            assert len(got) < sent / 2

    asyncio.run(run())


def test_new_viewers_get_the_last_picture_of_every_camera():
    async def run():
        async with serving({}) as web:
            web.server.show("front", b"old")
            web.server.show("front", b"jpeg")
            web.server.show("wrist", b"jpeg")
            viewer = await web.socket("/cam")
            assert {(await viewer.receive(timeout=10)).data for _ in range(2)} == {b"\x05frontjpeg", b"\x05wristjpeg"}

    asyncio.run(run())


def test_states_are_readable_even_if_a_number_is_not_known():
    async def run():
        async with serving({"page": Ears()}) as web:
            web.server.publish({"pace": {"hz": float("nan")}, "grips": [float("inf"), 0.5]})
            page = await web.page()
            state = await page.hear("state")
            assert state["pace"] == {"hz": None}
            assert state["grips"] == [None, 0.5]

    asyncio.run(run())


def test_states_come_at_most_as_often_as_pages_want_them():
    async def run():
        async with serving({"page": Ears()}, state_hz=5) as web:
            page = await web.page()
            start = time.monotonic()
            for step in range(60):
                web.server.publish({"step": step})
                await asyncio.sleep(0.01)
            states = 1
            while (await page.hear("state"))["step"] != 59:
                states += 1
            assert states <= 2 + 5 * (time.monotonic() - start)

    asyncio.run(run())


def test_only_the_driver_feels_pulses():
    async def run():
        async with serving({"page": Ears()}) as web:
            driver, watcher = await web.page(), await web.page()
            web.server.pulse("right", 0.5, 40)
            assert await driver.hear("pulse") == {"type": "pulse", "hand": "right", "strength": 0.5, "ms": 40}
            await watcher.say(type="ping", t=1)
            assert json.loads((await watcher.socket.receive(timeout=10)).data)["type"] == "pong"

    asyncio.run(run())


def test_without_a_receiver_for_pages_everybody_watches():
    async def run():
        async with serving({}) as web:
            web.server.publish({})
            page = await web.page()
            await page.until(driver=None)
            await page.say(type="control", ask="take")
            assert "No page can drive" in (await page.hear("error"))["message"]

    asyncio.run(run())


def test_stopping_closes_pages_with_a_reason_and_releases_the_robot():
    async def run():
        ears = Ears()
        async with serving({"page": ears}) as web:
            page = await web.page()
            await asyncio.to_thread(web.server.stop)
            assert await page.closed() == (aiohttp.WSCloseCode.GOING_AWAY, "the session has ended")
            assert len(ears.losses) == 1
            web.server.publish({})
            web.server.show("front", b"")
            web.server.pulse("right", 1.0, 10)
            web.server.stop()

    asyncio.run(run())


def test_a_port_that_is_taken_is_an_error_that_says_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} .* --port"):
            PageServer(WebCfg(port=port), {}, {}).start()


@pytest.mark.parametrize("host", ["203.0.113.7", "", "a" * 100, "no such host"])
def test_a_host_that_cannot_be_served_is_an_error_that_says_what_to_do(host):
    with pytest.raises(UserError, match="--host"):
        PageServer(WebCfg(host=host, port=0, https="never"), {}, {}).start()
