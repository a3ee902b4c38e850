"""Images of stored states, drawn on the CPU by MuJoCo.

For the videos of a report, and for the replay pass that adds camera observations to demos.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco is compiled and has no types

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from .gl import open_context
from .scene_model import SceneModel, scene_model

Image = NDArray[np.uint8]
"""RGB. Shape (H, W, 3)."""


@dataclass(kw_only=True, frozen=True)
class CameraView:
    """A camera and where it looks."""

    name: str
    """Name of its images."""
    eye_m: tuple[float, float, float]
    """Position in the environment's frame, or in that of `link`."""
    target_m: tuple[float, float, float]
    """Point in the middle of the image, in the same frame."""
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    """Direction that is up in the image, in the same frame. Not along the line of sight."""
    field_of_view_deg: float = 45.0
    """Vertical opening angle."""
    link: str | None = None
    """Robot link that carries the camera; None stands still."""

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Orientation: x to the right, y up in the image, z backwards. Shape (3, 3)."""
        back = np.subtract(self.eye_m, self.target_m)
        back = back / np.linalg.norm(back)
        right = np.cross(self.up, back)
        right /= np.linalg.norm(right)
        return np.stack((right, np.cross(back, right), back), axis=1)


FRONT = CameraView(name="front", eye_m=(1.3, -0.58, 0.72), target_m=(0.32, 0.02, 0.24))
"""The robot and its table from the front, for people."""
TABLE = CameraView(name="table", eye_m=(1.0, 0.0, 0.4), target_m=(0.48, 0.0, 0.04), field_of_view_deg=40.0)
"""The work area from close by, for policies."""
WRIST = CameraView(
    name="wrist",
    eye_m=(0.075, 0.0, 0.04),
    target_m=(0.015, 0.0, 0.15),
    up=(1.0, 0.0, 0.0),
    field_of_view_deg=70.0,
    link="panda_hand",
)
"""What a camera on the Panda's hand sees, for policies."""


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
        self._scene, self._views = made, [view.name for view in views]
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
        self._cameras = []
        for name in self._views:
            camera = mujoco.MjvCamera()
            camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, model.camera(name).id
            self._cameras.append(camera)

    def render(self, state: Mapping[str, Any]) -> dict[str, Image]:
        """Draw a state from every view.

        Args:
            state: Scene state of one environment, as under `states/` in a demo file or as `Session.state()` gives it.
                Arrays or tensors of shape (D,) or (1, D).

        Returns:
            Image by view name. Shapes (H, W, 3).
        """
        self._pose(state)
        images: dict[str, Image] = {}
        for name, camera in zip(self._views, self._cameras, strict=True):
            mujoco.mjv_updateScene(
                self._scene.model,
                self._data,
                self._options,
                self._perturbation,
                camera,
                mujoco.mjtCatBit.mjCAT_ALL,
                self._drawn,
            )
            mujoco.mjr_render(self._viewport, self._drawn, self._gpu)
            image = np.empty((self._viewport.height, self._viewport.width, 3), np.uint8)
            mujoco.mjr_readPixels(image, None, self._viewport, self._gpu)
            images[name] = image[::-1]  # OpenGL's first row is the lowest
        return images

    def _pose(self, state: Mapping[str, Any]) -> None:
        data = self._data
        for entity, frame in self._scene.frames.items():
            pose = np.asarray(state[f"{entity}/root_pose"]).reshape(7)
            data.mocap_pos[frame] = pose[:3]
            data.mocap_quat[frame] = pose[[6, 3, 4, 5]]
        for entity, places in self._scene.joints.items():
            data.qpos[places] = np.asarray(state[f"{entity}/joint_position"]).reshape(-1)
        mujoco.mj_kinematics(self._scene.model, data)
        mujoco.mj_camlight(self._scene.model, data)

    def close(self) -> None:
        """Free what OpenGL holds."""
        self._gpu.free()
        self._context.free()


def detail_for(width: int) -> float:
    """Size [m] of the smallest feature worth drawing in images of this width: a pixel or two at a metre."""
    return max(0.004, 1.35 / width)
