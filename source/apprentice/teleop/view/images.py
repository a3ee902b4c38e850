"""What the cameras of the scene see, as JPEG."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence

from PIL import Image

from apprentice.sim.render import StateRenderer
from apprentice.sim.scene_model import SceneModel
from apprentice.sim.views import CameraView
from apprentice.teleop.view.cfg import ViewCfg
from apprentice.teleop.view.slot import Snap


class CameraImages:
    """Draws one camera after the other, so that the 3D view never waits for all of them."""

    def __init__(self, scene: SceneModel, cameras: Sequence[CameraView], cfg: ViewCfg) -> None:
        # drawn by this thread alone: the processor's other cores belong to the control loop
        os.environ.setdefault("LP_NUM_THREADS", "0")
        self._quality = cfg.jpeg_quality
        # the 3D view has shadows; here they would take most of the time
        self._renderer = StateRenderer(scene, cameras, width=cfg.width, height=cfg.height)

    def draw(self, camera: str, snap: Snap) -> bytes:
        """One camera's image of a state."""
        image = self._renderer.render(snap.states, (camera,))[camera]
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=self._quality)
        return buffer.getvalue()
