"""What a scene looks like: a MuJoCo model with the visual geometry of one environment, made from its USD stage.

The physics engines keep collision geometry only, and PhysX is not MuJoCo; the stage knows every engine's scene. The
model is for drawing: robots and objects hang on posable frames, robots have their joints, and nothing collides.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco is compiled and has no types

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from apprentice.errors import UserError

from .model_names import entity_path
from .usd_geometry import Matrix, Prim, Shape, simplified, visible_shapes, world_transform

if TYPE_CHECKING:
    from .views import CameraView

ENVIRONMENT = "/World/envs/env_0"
"""Prim of the environment that is copied. Environments differ in state only."""

FEW_TRIANGLES = 1000
"""Bodies with fewer are not simplified: they cost nothing, and fingers matter."""

_GEOM = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
}


@dataclass(kw_only=True, frozen=True)
class SceneModel:
    """A scene that can be drawn in any state. Can be pickled, so that other processes can draw."""

    model: Any
    """`mujoco.MjModel`."""
    frames: Mapping[str, int]
    """Posable frame (row of `mocap_pos`) of each entity, by "articulation/robot" or "rigid_object/cube_1"."""
    joints: Mapping[str, NDArray[np.intp]]
    """Where each robot's joints are in `qpos`, in the order of its state."""

    def pose(self, data: Any, state: Mapping[str, Any]) -> None:
        """Put bodies, cameras and lights to where they are in a state.

        Args:
            data: `mujoco.MjData` of `model`.
            state: Scene state of one environment, as under `states/` in a demo file or as `Session.state()` gives it.
                Arrays or tensors of shape (D,) or (1, D).
        """
        for entity, frame in self.frames.items():
            pose = np.asarray(state[f"{entity}/root_pose"]).reshape(7)
            data.mocap_pos[frame] = pose[:3]
            data.mocap_quat[frame] = pose[[6, 3, 4, 5]]
        for entity, places in self.joints.items():
            data.qpos[places] = np.asarray(state[f"{entity}/joint_position"]).reshape(-1)
        mujoco.mj_kinematics(self.model, data)
        mujoco.mj_camlight(self.model, data)


def scene_model(env: Any, views: Sequence[CameraView], detail_m: float) -> SceneModel:
    """Model of what the environments of `env` look like.

    Args:
        env: The open `ManagerBasedEnv`.
        views: Cameras to put into the scene.
        detail_m: Size of the smallest mesh feature that is kept. Robots come with ten times more triangles than a small
            image has pixels.

    Raises:
        UserError: If a view is mounted on a link that the scene does not have.
    """
    return _Builder(env, detail_m).build(views)


class _Builder:
    def __init__(self, env: Any, detail_m: float) -> None:
        self._env = env
        self._stage: Any = env.sim.stage
        self._detail = detail_m
        self._spec = mujoco.MjSpec()
        self._origin = world_transform(self._stage.GetPrimAtPath(ENVIRONMENT))
        self._bodies: dict[str, Any] = {}
        self._frames: dict[str, str] = {}

    def build(self, views: Sequence[CameraView]) -> SceneModel:
        scene = self._env.scene
        joints = {name: self._robot(f"articulation/{name}", robot) for name, robot in scene.articulations.items()}
        for name, body in scene.rigid_objects.items():
            self._object(f"rigid_object/{name}", body)
        self._surroundings()
        self._look()
        for view in views:
            self._camera(view)
        model = self._spec.compile()
        return SceneModel(
            model=model,
            frames={entity: int(model.body(body).mocapid[0]) for entity, body in self._frames.items()},
            joints={
                f"articulation/{name}": np.array([model.joint(joint).qposadr[0] for joint in names])
                for name, names in joints.items()
            },
        )

    def _robot(self, entity: str, robot: Any) -> list[str]:
        """Add a robot. Returns the model's names of its joints, in the order of its state."""
        from pxr import Usd, UsdPhysics

        prim = self._entity_prim(robot)
        links = [link for link in Usd.PrimRange(prim) if link.HasAPI(UsdPhysics.RigidBodyAPI)]
        joints: list[Any] = [UsdPhysics.Joint(joint) for joint in Usd.PrimRange(prim) if joint.IsA(UsdPhysics.Joint)]
        parent_joint = {
            str(joint.GetBody1Rel().GetTargets()[0]): joint
            for joint in joints
            if joint.GetBody0Rel().GetTargets() and joint.GetBody1Rel().GetTargets() and self._is_link(joint, links)
        }
        waiting = links
        while waiting:
            later = []
            for link in waiting:
                joint = parent_joint.get(str(link.GetPath()))
                if joint is None:
                    self._root(entity, link)
                elif (parent := str(joint.GetBody0Rel().GetTargets()[0])) in self._bodies:
                    self._link(self._bodies[parent], link, joint)
                else:
                    later.append(link)
            if len(later) == len(waiting):
                raise RuntimeError(f"Expected the links of {prim.GetPath()} to form a tree, found a loop.")
            waiting = later
        return [f"{prim.GetPath()}/{name}" for name in robot.joint_names]

    def _is_link(self, joint: Any, links: list[Prim]) -> bool:
        return self._stage.GetPrimAtPath(joint.GetBody0Rel().GetTargets()[0]) in links

    def _object(self, entity: str, body: Any) -> None:
        from pxr import Usd, UsdPhysics

        prim = self._entity_prim(body)
        self._root(entity, next(part for part in Usd.PrimRange(prim) if part.HasAPI(UsdPhysics.RigidBodyAPI)))

    def _entity_prim(self, asset: Any) -> Prim:
        path = entity_path(asset)
        prim = self._stage.GetPrimAtPath(path)
        if not prim:
            raise RuntimeError(f"Expected one prim for {asset.cfg.prim_path}, found none at {path}.")
        return prim

    def _root(self, entity: str, prim: Prim) -> None:
        pose = np.linalg.inv(self._origin) @ world_transform(prim)
        body = self._spec.worldbody.add_body(
            name=str(prim.GetPath()), mocap=True, pos=pose[:3, 3], quat=_quat(_rotation(pose))
        )
        self._frames[entity] = body.name
        self._fill(body, prim)

    def _link(self, parent: Any, prim: Prim, joint: Any) -> None:
        from pxr import UsdPhysics

        in_parent = _pose(joint.GetLocalPos0Attr().Get(), joint.GetLocalRot0Attr().Get())
        in_link = _pose(joint.GetLocalPos1Attr().Get(), joint.GetLocalRot1Attr().Get())
        pose = in_parent @ np.linalg.inv(in_link)
        body = parent.add_body(name=str(prim.GetPath()), pos=pose[:3, 3], quat=_quat(pose[:3, :3]))
        usd = joint.GetPrim()
        slides = usd.IsA(UsdPhysics.PrismaticJoint)
        if slides or usd.IsA(UsdPhysics.RevoluteJoint):
            axis = in_link[:3, "XYZ".index(usd.GetAttribute("physics:axis").Get())]
            kind = mujoco.mjtJoint.mjJNT_SLIDE if slides else mujoco.mjtJoint.mjJNT_HINGE
            robot = str(usd.GetPath()).split("/")[4]
            body.add_joint(name=f"{ENVIRONMENT}/{robot}/{usd.GetName()}", type=kind, axis=axis, pos=in_link[:3, 3])
            # MuJoCo wants moving bodies to have inertia; nothing is simulated here
            body.mass, body.inertia, body.explicitinertial = 1.0, np.ones(3), True
        self._fill(body, prim)

    def _surroundings(self) -> None:
        """Add what never moves: relative to the environment where it belongs to one, else to the world."""
        for prim in self._stage.GetPrimAtPath("/World").GetChildren():
            if str(prim.GetPath()) == "/World/envs":
                for child in self._stage.GetPrimAtPath(ENVIRONMENT).GetChildren():
                    self._add(self._spec.worldbody, visible_shapes(child, self._origin, self._is_body))
            else:
                self._add(self._spec.worldbody, visible_shapes(prim, np.eye(4), self._is_body))

    @staticmethod
    def _is_body(prim: Prim) -> bool:
        from pxr import UsdPhysics

        return prim.HasAPI(UsdPhysics.RigidBodyAPI)

    def _fill(self, body: Any, prim: Prim) -> None:
        self._bodies[str(prim.GetPath())] = body
        self._add(body, visible_shapes(prim, world_transform(prim), lambda part: part != prim and self._is_body(part)))

    def _add(self, body: Any, shapes: Iterable[Shape]) -> None:
        meshes: dict[tuple[float, ...], list[Shape]] = {}
        for shape in shapes:
            if shape.kind == "mesh":
                meshes.setdefault(shape.colour, []).append(shape)
            else:
                pose = shape.pose
                body.add_geom(
                    type=_GEOM[shape.kind],
                    size=(*shape.size, 0.0, 0.0)[:3],
                    pos=pose[:3, 3],
                    quat=_quat(pose[:3, :3]),
                    rgba=shape.colour,
                    contype=0,
                    conaffinity=0,
                )
        total = sum(len(part.triangles) for parts in meshes.values() for part in parts if part.triangles is not None)
        for colour, parts in meshes.items():
            self._mesh(body, colour, parts, self._detail if total > FEW_TRIANGLES else 0.0)

    def _mesh(self, body: Any, colour: tuple[float, ...], parts: list[Shape], detail_m: float) -> None:
        """Add the parts of one colour as one mesh: each draw costs."""
        vertices: list[NDArray[np.float64]] = []
        triangles: list[NDArray[np.int64]] = []
        count = 0
        for part in parts:
            assert part.vertices is not None and part.triangles is not None
            points, corners = part.vertices, part.triangles
            if detail_m > 0:
                points, corners = simplified(points, corners, detail_m)
            vertices.append(points)
            triangles.append(corners + count)
            count += len(points)
        corners = np.concatenate(triangles)
        if len(corners) == 0:
            return
        mesh = self._spec.add_mesh(name=f"mesh_{len(self._spec.meshes)}")
        # pieces of a surface have no volume to take an inertia from
        mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
        mesh.uservert, mesh.userface = np.concatenate(vertices).ravel(), corners.ravel()
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname=mesh.name, rgba=colour, contype=0, conaffinity=0, mass=0.0
        )

    def _look(self) -> None:
        """Light and sky, and a scale by which MuJoCo sets near and far: its own would follow the wide ground."""
        spec = self._spec
        spec.stat.extent, spec.stat.center[:] = 1.5, (0.4, 0.0, 0.2)
        spec.visual.map.znear, spec.visual.map.zfar = 0.01, 30.0
        spec.visual.headlight.ambient[:] = 0.35
        spec.visual.headlight.diffuse[:] = 0.25
        spec.visual.headlight.specular[:] = 0.0
        spec.worldbody.add_light(
            pos=(1.0, -1.0, 2.5),
            dir=(-0.3, 0.4, -1.0),
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
            diffuse=(0.6, 0.6, 0.6),
            castshadow=True,
        )
        spec.add_texture(
            name="sky",
            type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
            builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
            rgb1=(0.85, 0.9, 0.95),
            rgb2=(0.55, 0.6, 0.65),
            width=32,
            height=192,
        )

    def _camera(self, view: CameraView) -> None:
        body = self._spec.worldbody if view.link is None else self._link_named(view.link)
        body.add_camera(name=view.name, pos=view.eye_m, quat=_quat(view.rotation), fovy=view.field_of_view_deg)

    def _link_named(self, name: str) -> Any:
        for path, body in self._bodies.items():
            if path.rpartition("/")[2] == name:
                return body
        links = ", ".join(sorted(path.rpartition("/")[2] for path in self._bodies))
        raise UserError(f"Expected a camera's link to be one of {links}, found '{name}'.")


def _pose(position: Any, rotation: Any) -> Matrix:
    quat = np.array([rotation.GetReal(), *rotation.GetImaginary()], dtype=np.float64)
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quat / np.linalg.norm(quat))
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = matrix.reshape(3, 3), np.array(position)
    return pose


def _rotation(pose: Matrix) -> Matrix:
    return pose[:3, :3] / np.linalg.norm(pose[:3, :3], axis=0)


def _quat(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quaternion wxyz, MuJoCo's order. Shape (4,)."""
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.ascontiguousarray(rotation, dtype=np.float64).ravel())
    return quat
