"""Images of stored states, drawn on the CPU by MuJoCo.

For the videos of a report, and for the replay pass that adds camera observations to demos.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco is compiled and has no types

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from .gl import open_context
from .scene_model import SceneModel, scene_model
from .views import FRONT, CameraView

Image = NDArray[np.uint8]
"""RGB. Shape (H, W, 3)."""


class StateRenderer:
    """Draws one environment in given states.

    It reads the scene once and keeps nothing of the simulation, so the simulation may run on meanwhile. Use it in the
    thread that made it, and close it when done.
    """

    def __init__(
        self,
        scene: Any,
        views: Sequence[CameraView] = (FRONT,),
        *,
        width: int = 320,
        height: int = 240,
        shadows: bool = False,
        samples: int = 4,
    ) -> None:
        """Prepare for drawing.

        Args:
            scene: An open `Session`, or a `SceneModel` that was made with the same views.
            views: Cameras.
            width: Image width in pixels.
            height: Image height in pixels.
            shadows: Whether to draw shadows: nicer, and three times the time.
            samples: Samples per pixel against jagged edges; 0 takes half the time of 4.

        Raises:
            UserError: If this machine has no OpenGL for drawing without a screen.
        """
        self._context = open_context(width, height)
        made = scene if isinstance(scene, SceneModel) else scene_model(scene.env, views, detail_for(width))
        self._scene = made
        model = made.model
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        model.vis.quality.offsamples = samples
        model.vis.quality.shadowsize = 1024 if shadows else 0
        self._data = mujoco.MjData(model)
        self._drawn = mujoco.MjvScene(model, maxgeom=model.ngeom + 10)
        self._drawn.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
        self._drawn.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        self._options, self._perturbation = mujoco.MjvOption(), mujoco.MjvPerturb()
        self._gpu = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._gpu)
        self._viewport = mujoco.MjrRect(0, 0, width, height)
        self._pixels = np.empty((height, width, 3), np.uint8)
        self._cameras: dict[str, Any] = {}
        for view in views:
            camera = mujoco.MjvCamera()
            camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, model.camera(view.name).id
            self._cameras[view.name] = camera

    def render(self, state: Mapping[str, Any], views: Sequence[str] | None = None) -> dict[str, Image]:
        """Draw a state.

        Args:
            state: Scene state of one environment, as under `states/` in a demo file or as `Session.state()` gives it.
                Arrays or tensors of shape (D,) or (1, D).
            views: Names of the views to draw from; all by default.

        Returns:
            Image by view name. Shapes (H, W, 3).
        """
        self._scene.pose(self._data, state)
        shape = (self._viewport.height, self._viewport.width, 3)
        images = {name: np.empty(shape, np.uint8) for name in (self._cameras if views is None else views)}
        self._draw(images)
        return images

    def render_episode(self, states: Mapping[str, NDArray[np.floating[Any]]]) -> dict[str, NDArray[np.uint8]]:
        """Draw every state of an episode from every view.

        Args:
            states: As `render` takes them, shapes (T, D).

        Returns:
            Images by view name. Shapes (T, H, W, 3).
        """
        length = len(next(iter(states.values())))
        shape = (length, self._viewport.height, self._viewport.width, 3)
        images = {name: np.empty(shape, np.uint8) for name in self._cameras}
        for step in range(length):
            self._scene.pose(self._data, {name: values[step] for name, values in states.items()})
            self._draw({name: values[step] for name, values in images.items()})
        return images

    def _draw(self, images: Mapping[str, Image]) -> None:
        """Draw the posed scene into `images`, by view."""
        for name, image in images.items():
            mujoco.mjv_updateScene(
                self._scene.model,
                self._data,
                self._options,
                self._perturbation,
                self._cameras[name],
                mujoco.mjtCatBit.mjCAT_ALL,
                self._drawn,
            )
            mujoco.mjr_render(self._viewport, self._drawn, self._gpu)
            mujoco.mjr_readPixels(self._pixels, None, self._viewport, self._gpu)
            image[...] = self._pixels[::-1]  # OpenGL's first row is the lowest

    def close(self) -> None:
        """Free what OpenGL holds."""
        self._gpu.free()
        self._context.free()


def detail_for(width: int) -> float:
    """Size [m] of the smallest feature worth drawing in images of this width: a pixel or two at a metre."""
    return max(0.004, 1.35 / width)
