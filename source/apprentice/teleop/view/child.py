"""The process that shows the scene, beside the control loop. It reads states and never makes anybody wait."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from apprentice.errors import UserError
from apprentice.sim.scene_model import SceneModel
from apprentice.sim.views import CameraView
from apprentice.teleop.view.cfg import ViewCfg
from apprentice.teleop.view.slot import Snap, StateSlot

LISTENING, IMAGE, PROBLEM = "listening", "image", "problem"
"""Kinds of messages to the parent, with a port, a camera's name and JPEG, or a sentence."""

_LOOK_S = 0.004
"""Time between looks at the shared state."""
_STANDING_S = 1.0
"""Time between images of a scene that stands still: whoever begins to watch waits no longer for one."""


def run(
    scene: SceneModel,
    cameras: Sequence[CameraView],
    eye: CameraView,
    cfg: ViewCfg,
    slot: StateSlot,
    link: Connection,
    port: int,
) -> None:
    """Show the scene until the parent closes `link` or dies.

    Args:
        scene: What it looks like, with `cameras` in it.
        cameras: Those to draw images of; may be none.
        eye: Where the 3D view looks from first.
        cfg: How to show it.
        slot: Where the newest state is.
        link: To the parent.
        port: Port of the 3D view; 0 takes a free one.
    """
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this process
    os.nice(cfg.nice)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # viser greets on the terminal
    from apprentice.teleop.view.scene3d import Scene3D

    os.environ.pop("_VISER_PORT_OVERRIDE", None)
    view = Scene3D(scene, eye, port)
    link.send((LISTENING, view.port))
    images = _Images(scene, cameras, cfg, link) if cameras else None
    shown, shown_at = 0, 0.0
    # a copy of the parent's end of the link may live on in a process that the parent forked: look who the parent is too
    while not link.poll(_LOOK_S) and os.getppid() == parent:
        snap, now = slot.read(), time.monotonic()
        if snap is None:
            continue
        if snap.number != shown and now - shown_at >= 1 / cfg.fps:
            view.show(snap)
            shown, shown_at = snap.number, now
        if images is not None:
            images.draw_one(snap, now)
    os._exit(0)  # nothing to save, and viser's threads would be waited for


class _Images:
    """Sends the images that are due, one camera at a time, so that the 3D view never waits for all of them."""

    def __init__(self, scene: SceneModel, cameras: Sequence[CameraView], cfg: ViewCfg, link: Connection) -> None:
        from apprentice.teleop.view.images import CameraImages

        self._link, self._every_s = link, 1 / cfg.camera_fps
        self._drawn = {camera.name: (0, 0.0) for camera in cameras}
        self._images: Any = None
        try:
            self._images = CameraImages(scene, cameras, cfg)
        except UserError as error:  # the 3D view goes on without
            link.send((PROBLEM, str(error)))

    def draw_one(self, snap: Snap, now: float) -> None:
        if self._images is None:
            return
        camera = min(self._drawn, key=lambda name: self._drawn[name][1])
        number, at = self._drawn[camera]
        if now - at >= (self._every_s if snap.number != number else _STANDING_S):
            self._drawn[camera] = snap.number, now
            self._link.send((IMAGE, (camera, self._images.draw(camera, snap))))
