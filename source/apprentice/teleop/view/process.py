"""The view of a scene, as the control loop sees it: something to tell the newest state to, which never takes time."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

from apprentice.sim.scene_model import SceneModel
from apprentice.sim.views import FRONT, CameraView
from apprentice.teleop.view.cfg import ViewCfg
from apprentice.teleop.view.child import IMAGE, LISTENING, run
from apprentice.teleop.view.slot import StateSlot

_START_S = 60.0
"""Time that the process may take to listen, on a very busy machine."""


class SceneView:
    """Shows one environment in browsers, from a process of its own.

    A view that crashes is started again, on the same port, a few times; `problem` then says why it is gone. It ends
    with this process, however that ends.
    """

    def __init__(
        self,
        scene: SceneModel,
        cameras: Sequence[CameraView] = (),
        cfg: ViewCfg | None = None,
        on_image: Callable[[str, bytes], None] | None = None,
        *,
        eefs: Sequence[str] = (),
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            scene: What it looks like, made with `cameras`.
            cameras: Cameras to draw. The 3D view begins where the first one stands, if it stands still.
            cfg: How to show it; None for the defaults.
            on_image: Called with a camera's name and JPEG, in a thread; has to return at once. Without it no images are
                drawn.
            eefs: End effectors whose targets may be shown.
        """
        still = [camera for camera in cameras if camera.link is None]
        drawn = tuple(cameras) if on_image is not None else ()
        self._scene, self._drawn, self._eye, self._cfg = scene, drawn, (still or [FRONT])[0], cfg or ViewCfg()
        self._on_image = on_image
        self._slot = StateSlot(scene, eefs)
        self._port = 0
        self._problem: str | None = None
        self._stopping = threading.Event()
        self._process: Any = None
        self._link: Connection | None = None
        self._thread = threading.Thread(target=self._attend, name="view", daemon=True)

    @property
    def problem(self) -> str | None:
        """Why there is no view, or no images; None if all is well."""
        return self._problem

    @property
    def pid(self) -> int | None:
        """Process that shows the scene; None if there is none."""
        return self._process.pid if self._process is not None and self._process.is_alive() else None

    def start(self) -> int:
        """Start the process.

        Returns:
            Port on 127.0.0.1 where viser listens, for as long as this view runs.

        Raises:
            RuntimeError: If it ended before it listened; its traceback is on the error output.
        """
        try:
            self._link = self._launch()
        except (OSError, EOFError) as error:
            raise RuntimeError(f"Expected a view of the scene, found that its process ended: {error!r}.") from error
        self._thread.start()
        return self._port

    def update(self, states: Mapping[str, Any], targets: Mapping[str, Any] | None = None) -> None:
        """Show this state from now on. Never waits, whatever the view does. Call it from one thread.

        Args:
            states: Scene state of one environment, as `Session.state()` gives it. Shapes (D,) or (1, D).
            targets: Where end effectors are asked to be, by name, environment frame. Shapes (4, 4) or (1, 4, 4).
        """
        self._slot.write(states, targets or {})

    def stop(self) -> None:
        """End the process. Doing so twice does nothing."""
        self._stopping.set()
        if self._process is not None:
            self._process.kill()  # there is nothing that it would have to finish
            self._process.join()
        if self._thread.is_alive():
            self._thread.join()

    def _launch(self) -> Connection:
        """Start the process and wait until it listens."""
        context = multiprocessing.get_context("spawn")
        link, theirs = context.Pipe()
        arguments = (self._scene, self._drawn, self._eye, self._cfg, self._slot, theirs, self._port)
        process = context.Process(target=run, args=arguments, name="view", daemon=True)
        process.start()
        self._process = process
        if self._stopping.is_set():
            process.kill()  # `stop` did not see it
        theirs.close()
        if not link.poll(_START_S):
            raise OSError(f"expected it to listen within {_START_S:.0f} s")
        kind, self._port = link.recv()
        assert kind == LISTENING
        return link

    def _attend(self) -> None:
        """Hand images on, and start a process that ended again."""
        crashes = 0
        while True:
            try:
                if self._link is None:
                    self._link = self._launch()
                self._hand_on(self._link)
            except (OSError, EOFError):
                self._link = None
            if self._stopping.is_set():
                return
            crashes += 1
            if crashes > self._cfg.restarts:
                self._problem = f"the view of the scene ended {crashes} times and is not started again"
                return

    def _hand_on(self, link: Connection) -> None:
        while True:
            kind, content = link.recv()
            if kind != IMAGE:
                self._problem = content
            elif self._on_image is not None and not self._stopping.is_set():
                self._on_image(*content)
