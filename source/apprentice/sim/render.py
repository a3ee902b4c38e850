"""Images of stored states, drawn on the CPU by MuJoCo.

For the videos of a report, and for the replay pass that adds camera observations to demos.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco is compiled and has no types

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from apprentice.demos.schema import DEPTH

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
        depth: bool = False,
    ) -> None:
        """Prepare for drawing.

        Args:
            scene: An open `Session`, or a `SceneModel` that was made with the same views.
            views: Cameras.
            width: Image width in pixels.
            height: Image height in pixels.
            shadows: Whether to draw shadows: nicer, and three times the time.
            samples: Samples per pixel against jagged edges; 0 takes half the time of 4.
            depth: Whether to measure distances too. Then every view has a second image: metres along the view, half
                floats of shape (H, W, 1), by the view's name with `DEPTH` after it.

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
        self._gpu.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._gpu)
        self._viewport = mujoco.MjrRect(0, 0, width, height)
        self._pixels = np.empty((height, width, 3), np.uint8)
        self._depths = np.empty((height, width), np.float32) if depth else None
        # MuJoCo has its planes in units of the scene's extent
        self._near, self._far = (plane * model.stat.extent for plane in (model.vis.map.znear, model.vis.map.zfar))
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
        images = self._empty(self._cameras if views is None else views)
        self._draw(images)
        return images

    def render_episode(self, states: Mapping[str, NDArray[np.floating[Any]]]) -> dict[str, NDArray[Any]]:
        """Draw every state of an episode from every view.

        Args:
            states: As `render` takes them, shapes (T, D).

        Returns:
            Images by view name, as `render` gives them. Shapes (T, H, W, 3).
        """
        length = len(next(iter(states.values())))
        images = self._empty(self._cameras, length)
        for step in range(length):
            self._scene.pose(self._data, {name: values[step] for name, values in states.items()})
            self._draw({name: values[step] for name, values in images.items()})
        return images

    def _empty(self, views: Iterable[str], *length: int) -> dict[str, NDArray[Any]]:
        """Room for images of these views."""
        shape = (*length, self._viewport.height, self._viewport.width)
        images: dict[str, NDArray[Any]] = {name: np.empty((*shape, 3), np.uint8) for name in views}
        if self._depths is not None:
            images |= {name + DEPTH: np.empty((*shape, 1), np.float16) for name in views}
        return images

    def _draw(self, images: Mapping[str, NDArray[Any]]) -> None:
        """Draw the posed scene into `images`, by view."""
        for name in self._cameras.keys() & images.keys():
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
            mujoco.mjr_readPixels(self._pixels, self._depths, self._viewport, self._gpu)
            images[name][...] = self._pixels[::-1]  # OpenGL's first row is the lowest
            if self._depths is not None:  # the buffer is linear in the inverse of the distance, and 0 is far
                inverse = 1.0 / self._far + self._depths * (1.0 / self._near - 1.0 / self._far)
                images[name + DEPTH][...] = (1.0 / inverse)[::-1, :, None]

    def close(self) -> None:
        """Free what OpenGL holds."""
        self._gpu.free()
        self._context.free()


def detail_for(width: int) -> float:
    """Size [m] of the smallest feature worth drawing in images of this width: a pixel or two at a metre."""
    return max(0.004, 1.35 / width)
