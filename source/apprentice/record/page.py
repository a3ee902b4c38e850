"""Opens what a person looks at while recording: the page, and the scene beside it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from apprentice.record.cfg import RecordCfg
from apprentice.sim.scene_model import SceneModel, scene_model
from apprentice.sim.views import CameraView
from apprentice.tasks.session import Session
from apprentice.tasks.views import task_views
from apprentice.teleop.sources.open import Opened
from apprentice.teleop.view.cfg import ViewCfg
from apprentice.teleop.view.process import SceneView
from apprentice.teleop.web.cfg import Address, WebCfg
from apprentice.teleop.web.server import PageServer


@dataclass(kw_only=True, frozen=True)
class Scenery:
    """What a task looks like."""

    model: SceneModel
    """Its shapes."""
    views: tuple[CameraView, ...]
    """Its cameras."""

    @classmethod
    def of(cls, session: Session) -> Scenery:
        views = task_views(session)
        return cls(model=scene_model(session.env, views, ViewCfg().detail_m), views=views)

    @property
    def yaws(self) -> dict[str, float]:
        """By camera that stands still, the heading that it looks in (rad)."""
        looks = {view.name: np.subtract(view.target_m, view.eye_m) for view in self.views if view.link is None}
        return {name: math.atan2(look[1], look[0]) for name, look in looks.items()}

    @property
    def colours(self) -> Mapping[str, str]:
        """By object, the colour of its largest shape, such as "#ff0000"."""
        model: Any = self.model.model
        colours: dict[str, str] = {}
        for entity, frame in self.model.frames.items():
            kind, name = entity.split("/")
            geoms = np.flatnonzero(model.body_mocapid[model.geom_bodyid] == frame)
            if kind == "rigid_object" and len(geoms):
                largest = geoms[np.argmax(model.geom_rbound[geoms])]
                red, green, blue = (round(255 * float(part)) for part in model.geom_rgba[largest][:3])
                colours[name] = f"#{red:02x}{green:02x}{blue:02x}"
        return colours


@dataclass(kw_only=True, frozen=True)
class OpenPage:
    """A page that answers."""

    server: PageServer
    """Serves it."""
    address: Address
    """Where it is."""
    view: SceneView | None
    """Shows the scene; None where that was not wanted."""


@contextlib.contextmanager
def open_page(session: Session, cfg: RecordCfg, opened: Opened, scenery: Scenery) -> Iterator[OpenPage]:
    """Serve the operator's page while the block runs.

    Args:
        session: The task.
        cfg: Where to serve it, and whether to show the scene.
        opened: The operator's devices.
        scenery: What there is to see.

    Raises:
        UserError: If the port or the certificates cannot be used.
    """
    servers: list[PageServer] = []  # the view begins to send before there is one

    def show(name: str, jpeg: bytes) -> None:
        for server in servers:
            server.show(name, jpeg)

    eefs = session.task_info.eef_names
    view = SceneView(scenery.model, scenery.views, on_image=show, eefs=eefs) if cfg.view else None
    welcome: dict[str, Any] = {
        "task": session.task,
        "variant": session.variant,
        "backend": session.backend,
        "control_hz": session.control_hz,
        "eefs": list(eefs),
        "cameras": [camera.name for camera in scenery.views] if cfg.view else [],
        "bindings": opened.bindings,
    }
    try:
        port = view.start() if view else None
        server = PageServer(WebCfg(host=cfg.host, port=cfg.port), opened.receivers, welcome, view_port=port)
        address = server.start()
        servers.append(server)
        try:
            yield OpenPage(server=server, address=address, view=view)
        finally:
            server.stop()
    finally:
        if view is not None:
            view.stop()
