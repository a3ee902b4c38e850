"""The scene in the browser, in three dimensions: a viser server with one node per body."""

# pyright: reportAttributeAccessIssue=false
# mujoco is compiled and has no types

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
import viser
from numpy.typing import NDArray

from apprentice.sim.scene_model import SceneModel
from apprentice.sim.views import CameraView
from apprentice.teleop.view.slot import Snap

_WIDE_M = 5.0
"""Shapes that reach farther are the ground."""
_MOVED = 1e-5
"""Smaller changes (m, or of a quaternion) can't be seen and are not sent."""

_TARGET = (250, 204, 21)
"""Colour of the middle of a target, yellow."""


class Scene3D:
    """Shows one environment to any number of browsers."""

    def __init__(self, scene: SceneModel, eye: CameraView, port: int) -> None:
        """Listen, and show the scene as it is by default.

        Args:
            scene: What it looks like.
            eye: Where people look from first.
            port: Port on 127.0.0.1; 0 takes a free one.
        """
        self._scene, self._data = scene, mujoco.MjData(scene.model)
        self.server = viser.ViserServer(host="127.0.0.1", port=port, verbose=False)
        self._look(eye)
        mujoco.mj_kinematics(scene.model, self._data)
        self._bodies = {body: self._add_body(body) for body in self._moving_bodies()}
        self._add_geoms(0, "/world")
        self._sent: dict[str, NDArray[np.float64]] = {}
        self._ghosts: dict[str, viser.FrameHandle] = {}

    @property
    def port(self) -> int:
        return self.server.get_port()

    def show(self, snap: Snap) -> None:
        """Move what moved."""
        self._scene.pose(self._data, snap.states)
        with self.server.atomic():
            for body, node in self._bodies.items():
                self._place(node, self._data.xpos[body], self._data.xquat[body])
            for eef in self._ghosts.keys() - snap.targets.keys():
                self._ghosts[eef].visible = False
            for eef, pose in snap.targets.items():
                self._show_ghost(eef, pose)

    def stop(self) -> None:
        self.server.stop()

    def _place(self, node: viser.FrameHandle, position: NDArray[np.float64], quat: NDArray[np.float64]) -> None:
        pose = np.concatenate((position, quat))
        sent = self._sent.get(node.name)
        if sent is None or float(np.abs(pose - sent).max()) > _MOVED:
            node.position, node.wxyz = pose[:3], pose[3:]
            self._sent[node.name] = pose

    def _show_ghost(self, eef: str, pose: NDArray[np.float64]) -> None:
        node = self._ghosts.get(eef)
        if node is None:
            node = self._ghosts[eef] = self.server.scene.add_frame(
                f"/targets/{eef}",
                axes_length=0.06,
                axes_radius=0.0025,
                origin_radius=0.006,
                origin_color=(250, 204, 21),
            )
        if not node.visible:
            node.visible = True
        quat = np.zeros(4)
        mujoco.mju_mat2Quat(quat, np.ascontiguousarray(pose[:3, :3]).ravel())
        self._place(node, pose[:3, 3], quat)

    def _look(self, eye: CameraView) -> None:
        server = self.server
        server.scene.set_up_direction("+z")
        server.scene.configure_default_lights(enabled=False)
        server.scene.configure_environment_map(None)
        server.scene.add_light_hemisphere("/lights/sky", ground_color=(190, 180, 170), intensity=1.3)
        # no shadows and no reflections: without a GPU in the operator's computer they take a second to draw
        server.scene.add_light_directional("/lights/lamp", intensity=2.2, position=(0.25, -0.25, 2.0))
        server.initial_camera.position, server.initial_camera.look_at = np.array(eye.eye_m), np.array(eye.target_m)
        server.initial_camera.fov = float(np.radians(eye.field_of_view_deg))
        server.gui.configure_theme(show_logo=False, show_share_button=False)
        server.gui.set_panel_label("View")
        server.gui.main_panel.minimize()

    def _moving_bodies(self) -> Sequence[int]:
        """Bodies with something to see, but the world."""
        return sorted({int(body) for body in self._scene.model.geom_bodyid} - {0})

    def _add_body(self, body: int) -> viser.FrameHandle:
        name = f"/bodies/{body}"
        node = self.server.scene.add_frame(
            name, show_axes=False, position=self._data.xpos[body], wxyz=self._data.xquat[body]
        )
        self._add_geoms(body, name)
        return node

    def _add_geoms(self, body: int, parent: str) -> None:
        model = self._scene.model
        for geom in np.flatnonzero(model.geom_bodyid == body):
            if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_BOX and model.geom_size[geom].max() > _WIDE_M:
                self._add_ground(float(model.geom_pos[geom][2] + model.geom_size[geom][2]))
            else:
                self._add_geom(int(geom), f"{parent}/{geom}")

    def _add_ground(self, height_m: float) -> None:
        self.server.scene.add_grid(
            "/ground",
            infinite_grid=True,
            fade_distance=12.0,
            plane_opacity=1.0,
            shadow_opacity=0.2,
            position=(0.0, 0.0, height_m),
            cell_color=(203, 206, 211),
            section_color=(178, 182, 189),
            plane_color=(226, 228, 232),
        )

    def _add_geom(self, geom: int, name: str) -> None:
        model, scene = self._scene.model, self.server.scene
        kind, size = model.geom_type[geom], model.geom_size[geom]
        red, green, blue, opacity = (float(value) for value in model.geom_rgba[geom])
        look: dict[str, Any] = {
            "color": (red, green, blue),
            "opacity": None if opacity >= 1.0 else opacity,
            "position": model.geom_pos[geom],
            "wxyz": model.geom_quat[geom],
        }
        if kind == mujoco.mjtGeom.mjGEOM_BOX:
            scene.add_box(name, dimensions=2 * size, **look)
        elif kind == mujoco.mjtGeom.mjGEOM_SPHERE:
            scene.add_icosphere(name, radius=float(size[0]), **look)
        elif kind in (mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_CAPSULE):
            scene.add_cylinder(name, radius=float(size[0]), height=float(2 * size[1]), **look)
            if kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
                for end in (-1, 1):
                    scene.add_icosphere(
                        f"{name}/{end}", radius=float(size[0]), position=(0, 0, end * size[1]), color=look["color"]
                    )
        else:
            mesh = model.geom_dataid[geom]
            first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
            start, faces = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
            scene.add_mesh_simple(
                name,
                vertices=model.mesh_vert[first : first + count],
                faces=model.mesh_face[start : start + faces],
                side="double",
                **look,
            )
