"""Recordings in this thread while a test does something to them in another, and what the robot was told meanwhile."""

from __future__ import annotations

import _thread
import contextlib
import json
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mcap.reader import make_reader
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from apprentice.demos import DemoFile, check_file
from apprentice.record.cfg import RecordCfg
from apprentice.record.live import record_live_session
from apprentice.record.recorder import RecordResult
from apprentice.tasks.eef_maps import action_to_target
from apprentice.teleop.frame import Command
from apprentice.teleop.frame_json import frame_from_json
from apprentice.teleop.read_log import Tick
from apprentice.teleop.retarget import RetargetCfg
from apprentice.teleop.web.cfg import Address

WAIT_S = 30.0
STOP_S = 0.2
"""Within this time after the last usable input the robot has stopped."""
STOP_STEPS = 5
"""Control steps that fit into it: four, and the one that was about to begin."""


def until(true: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + WAIT_S
    while not (value := true()):
        assert time.monotonic() < deadline, f"Expected {what} within {WAIT_S:.0f} s."
        time.sleep(0.01)
    return value


@dataclass(kw_only=True, frozen=True)
class Step:
    """A control step that the robot made."""

    time_s: float
    target: np.ndarray
    """Where its end effector was told to go. Shape (3,)."""
    eef: np.ndarray
    """Where that was before. Shape (3,)."""


@contextlib.contextmanager
def watched(session: Any) -> Iterator[list[Step]]:
    """The steps that a session makes from now on."""
    steps: list[Step] = []
    real = session.step
    (eef,) = session.task_info.eef_names

    def step(actions: Any, *rest: Any) -> Any:
        target = action_to_target(session.env, actions)[eef][0, :3, 3].double().numpy(force=True).copy()
        here = session.eef_poses()[eef][0, :3, 3].double().numpy(force=True).copy()
        steps.append(Step(time_s=time.monotonic(), target=target, eef=here))
        return real(actions, *rest)

    session.step = step
    try:
        yield steps
    finally:
        session.step = real


def record_beside(session: Any, output: Path, cfg: RecordCfg, act: Callable[[Address], None]) -> RecordResult:
    """Record while `act` runs in a thread. What goes wrong there is raised here."""
    failures: list[BaseException] = []
    threads: list[threading.Thread] = []
    over = threading.Event()

    def ready(address: Address) -> None:
        def run() -> None:
            try:
                act(address)
            except BaseException as error:
                traceback.print_exc()
                failures.append(error)
                if not over.is_set():
                    _thread.interrupt_main()  # ends the recording

        threads.append(threading.Thread(target=run, daemon=True))
        threads[0].start()

    try:
        result = record_live_session(session, output, cfg, ready=ready)
        over.set()
        threads[0].join(2 * WAIT_S)
    except KeyboardInterrupt:
        raise (failures or [KeyboardInterrupt()])[0] from None
    if failures:
        raise failures[0]
    assert not threads[0].is_alive(), "the recording is over, and whoever drove is busy still"
    return result


class Client:
    """A page without a browser: says what it is told to, and hears everything."""

    def __init__(self, address: Address, **hello: Any) -> None:
        self.state: dict[str, Any] = {}
        self.id = ""
        self._seq = 0
        bearer = {"Authorization": f"Bearer {address.token}"}
        self._socket = connect(f"ws://127.0.0.1:{address.port}/ws", additional_headers=bearer, compression=None)
        self.say(type="hello", **({"name": "a script", "kind": "page"} | hello))
        threading.Thread(target=self._listen, daemon=True).start()
        until(lambda: self.state, "a state")

    @property
    def drives(self) -> bool:
        return self.state["driver"] == self.id

    @property
    def name(self) -> str:
        return self.state["state"]

    def say(self, **message: Any) -> bool:
        """Send a message. Whether the socket took it."""
        try:
            self._socket.send(json.dumps(message))
        except ConnectionClosed:
            return False
        return True

    def input(self, **changes: Any) -> bool:
        self._seq += 1
        body = {
            "type": "input",
            "seq": self._seq,
            "t": 1000 * time.monotonic(),
            "visible": True,
            "keys": [],
            "held": [],
        }
        return self.say(**(body | {"pads": [], "xr": None, "settings": {}} | changes))

    def command(self, name: str) -> bool:
        return self.input() and self.say(type="command", name=name)

    def hold(self, seconds: float, **what: Any) -> None:
        """Hold something, as a page does: by saying so again and again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.input(**what)
            time.sleep(0.03)

    def ask_until(self, command: str, state: str) -> None:
        """Ask for something until it is so."""
        deadline = time.monotonic() + WAIT_S
        while self.name != state:
            assert time.monotonic() < deadline, f"Expected {state} after {command}, found {self.state}."
            self.command(command)
            self.hold(0.2)

    def close(self) -> None:
        self._socket.close()

    def _listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            for text in self._socket:
                message = json.loads(text)
                if message["type"] == "welcome":
                    self.id = message["you"]
                elif message["type"] == "state":
                    self.state = message


class Cable:
    """A network between a browser and a server on this machine, which can freeze without cutting connections."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._flowing = threading.Event()
        self._flowing.set()
        self._dead: list[threading.Event] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        self._flowing.clear()

    def forget(self) -> None:
        """The connections that there are go dead, as after a change of networks. New ones work."""
        self._flowing.clear()
        self._dead.append(self._flowing)
        self._flowing = threading.Event()
        self._flowing.set()

    def thaw(self) -> None:
        """Everything that was held up arrives at once."""
        self._flowing.set()

    def close(self) -> None:
        for flowing in (*self._dead, self._flowing):
            flowing.set()
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                for source, sink in ((near, far), (far, near)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self._pump, args=(source, sink, self._flowing), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, flowing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                flowing.wait()
                sink.sendall(data)
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


@dataclass(kw_only=True, frozen=True)
class Logged:
    """A message of the log, in the order in which they were handed over."""

    topic: str
    at_s: float
    body: dict[str, Any]


def logged(output: Path) -> list[Logged]:
    with output.with_name(f"{output.stem}.frames.mcap").open("rb") as file:
        messages = make_reader(file).iter_messages(log_time_order=False)
        return [
            Logged(topic=channel.topic, at_s=message.log_time / 1e9, body=json.loads(message.data))
            for _, channel, message in messages
        ]


def ticks_of(output: Path) -> list[Tick]:
    """All control steps of a recording, those of a robot that stands still too."""
    return [
        Tick(
            time_s=body["time_s"],
            lost=body["lost"],
            state=body["state"],
            frame=None if body["frame"] is None else frame_from_json(body["frame"]),
        )
        for body in (message.body for message in logged(output) if message.topic == "/ticks")
    ]


def moves(tick: Tick) -> bool:
    """Whether an operator could be heard and wanted motion."""
    return not tick.lost and tick.frame is not None and any(hand.twist.any() for hand in tick.frame.hands.values())


def assert_it_stopped(ticks: list[Tick], steps: list[Step], times: int) -> None:
    """The robot was lost so often while it recorded, and each time it stopped as it has to, until somebody went on."""
    losses = [i for i, tick in enumerate(ticks) if tick.state == "recording" and tick.lost and not _ended(tick)]
    assert len(losses) >= times, f"the robot was stopped {len(losses)} times"
    for i in losses:
        usable = next((tick.frame.time_s for tick in reversed(ticks[:i]) if not tick.lost and tick.frame), -np.inf)
        driven = [tick for tick in ticks[:i] if tick.time_s > usable]
        assert len(driven) <= STOP_STEPS
        assert all(tick.time_s - usable <= STOP_S for tick in driven)
        begins = next((k for k in range(i + 1, len(ticks)) if ticks[k].state != "paused"), len(ticks))
        assert begins > i + 1, "after a loss the episode is paused"
        # a step is made after its tick, and the tick that goes on still says paused
        assert not [step for step in steps if ticks[i].time_s <= step.time_s < ticks[begins - 1].time_s], (
            "a robot that is paused stands still"
        )


def _ended(tick: Tick) -> bool:
    """Whether the episode ended by the operator's word, in this very step."""
    return tick.frame is not None and bool({Command.SAVE, Command.DISCARD} & set(tick.frame.events))


def assert_no_garbage(output: Path, cfg: RetargetCfg | None = None, control_hz: float = 20.0) -> None:
    """Every demo is sound, and nothing in it is farther or faster than the limits let the robot be told."""
    cfg = cfg or RetargetCfg()
    assert not [finding for finding in check_file(output).findings if finding.severity == "error"]
    with DemoFile(output) as file:
        for name in file.names:
            demo = file.read(name)
            assert np.isfinite(demo.actions).all()
            assert all(np.isfinite(value).all() for value in demo.data.values() if value.dtype.kind == "f")
            # the arm is never told to go farther than the leash and what it is told ahead of itself
            at = demo.data["obs/datagen_info/eef_pose/franka"][:, :3, 3]
            told = demo.data["obs/datagen_info/target_eef_pose/franka"][:, :3, 3]
            assert np.linalg.norm(told - at, axis=1).max() <= cfg.leash_m + cfg.lead_s * cfg.speed_m_s + 1e-3
            # nor does it fly, where it is stretched out and turns back either
            assert np.linalg.norm(np.diff(at, axis=0), axis=1).max(initial=0.0) * control_hz < 3.0
