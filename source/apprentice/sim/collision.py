"""Asks MuJoCo where a robot would touch the scene, and whether it can get there, without simulating anything.

Only the `native` backend has the model that this takes. Everything is in the environment frame: on that backend all
environments stand at the world's origin.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco is compiled and has no types

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from apprentice.poses.arrays import invert

from .arm_reach import Arm
from .model_names import joint_places, mujoco_body, mujoco_names

Array = NDArray[np.float64]

FAR_M = 0.05
"""Distances beyond this are not looked at."""


class CollisionScene:
    """Geometry and kinematics of one environment, with one end effector that is asked about."""

    def __init__(self, env: Any, action_term: Any, eef_pose: Array) -> None:
        """Take over the model of environment 0.

        Args:
            env: A `ManagerBasedEnv` on the `native` backend.
            action_term: Its differential-IK action term that moves the end effector.
            eef_pose: Pose of the end effector in environment 0 now. Shape (4, 4).

        Raises:
            KeyError: If the simulator's model names things otherwise than Newton does.
        """
        from .native import solver

        native = solver()
        model = copy.copy(native.world_model(0))
        model.geom_margin[:] = FAR_M / 2  # of two geoms, margins add up
        self.model = model
        self._data = mujoco.MjData(model)
        self._data.mocap_pos[:], self._data.mocap_quat[:] = native.mocap_poses(0)
        self._env, self._native = env, native
        self._robot = action_term._asset
        own = mujoco_names(self._robot, "joint_label")
        self._robot_qpos = joint_places(model, self._robot)
        self._moved_by_hand = [(asset, joint_places(model, asset)) for asset in _without_actions(env)]
        columns = np.arange(self._robot.num_joints)[_columns(action_term._joint_ids)]
        joints = [model.joint(own[self._robot.joint_names[column]]).id for column in columns]
        self.arm_columns = columns
        """Which of the robot's joints move the end effector. K of them."""
        bodies = mujoco_names(self._robot, "body_label")
        self._hand = model.body(bodies[self._robot.body_names[action_term._body_idx]]).id
        weight = getattr(action_term.cfg.controller, "orientation_weight", None)
        self.arm = Arm(model, np.array(joints), self._hand, weight)
        """What moves the end effector."""
        self._root = int(model.body_rootid[self._hand])
        rigid = {name: model.body(mujoco_body(asset)).id for name, asset in env.scene.rigid_objects.items()}
        loose = [rigid.pop(name) for name in getattr(env.cfg, "loose_objects", ())]
        model.geom_contype[np.isin(model.geom_bodyid, loose)] = 0  # what is carried loosely is in nobody's way
        model.geom_conaffinity[np.isin(model.geom_bodyid, loose)] = 0
        self._objects = rigid
        self._names = {body: name for name, body in self._objects.items()}
        self._root_of_geom = model.body_rootid[model.geom_bodyid]
        self._in_hand_of_geom = self._below_hand()[model.geom_bodyid]
        # a fixed offset tells the frame of the end effector from that of the link that carries it
        self._set_robot(self._robot.data.joint_pos.torch[0].double().cpu().numpy())
        # rounded: single-precision poses leave a trace of how the arm stands now, and plans must not depend on that
        self._eef_to_hand = np.round(invert(eef_pose) @ self._frame(self._hand), 5)

    def moment(self, env_id: int, eef_pose: Array, held: str | None) -> Moment:
        """The scene as it is in an environment now.

        Args:
            env_id: The environment.
            eef_pose: Pose of its end effector. Shape (4, 4).
            held: Object in its gripper, None if it is empty.
        """
        joints = self._robot.data.joint_pos.torch[env_id].double().cpu().numpy()
        for asset, qpos in self._moved_by_hand:  # such as a drawer, which stands elsewhere in every environment
            self._data.mocap_pos[:], self._data.mocap_quat[:] = self._native.mocap_poses(env_id)
            self._data.qpos[qpos] = asset.data.joint_pos.torch[env_id].double().cpu().numpy()
        objects = {
            name: self._env.scene[name].data.root_link_pose_w.torch[env_id].double().cpu().numpy()
            for name in self._objects
        }
        return Moment(self, joints, objects, eef_pose, held)

    def _below_hand(self) -> NDArray[np.bool_]:
        """Bodies that the hand carries: itself and its fingers.

        Where the controller moves a mere frame between the fingers, the hand is the first link above it with a shape.
        """
        parents, shapes = self.model.body_parentid, self.model.body_geomnum
        top = self._hand
        while top and not shapes[_subtree(parents, top)].any():
            top = parents[top]
        return _subtree(parents, top)

    def _set_robot(self, joints: Array) -> None:
        self._data.qpos[self._robot_qpos] = joints
        mujoco.mj_kinematics(self.model, self._data)

    def _frame(self, body: int) -> Array:
        frame = np.eye(4)
        frame[:3, :3], frame[:3, 3] = self._data.xmat[body].reshape(3, 3), self._data.xpos[body]
        return frame

    def _place(self, body: int, pose: Array) -> None:
        """Put an object somewhere: seven numbers, position and quaternion xyzw."""
        joint = int(self.model.body_jntadr[body])
        if joint >= 0:
            start = int(self.model.jnt_qposadr[joint])
            self._data.qpos[start : start + 7] = pose[[0, 1, 2, 6, 3, 4, 5]]
        elif (mocap := int(self.model.body_mocapid[body])) >= 0:
            self._data.mocap_pos[mocap], self._data.mocap_quat[mocap] = pose[:3], pose[[6, 3, 4, 5]]


class Moment:
    """One environment at one time. Valid until the next one is asked for: all share their scratch memory."""

    def __init__(
        self, scene: CollisionScene, joints: Array, objects: Mapping[str, Array], eef_pose: Array, held: str | None
    ) -> None:
        """See `CollisionScene.moment`."""
        self._scene = scene
        for name, pose in objects.items():
            scene._place(scene._objects[name], pose)
        scene._set_robot(joints)
        self.joints = joints[scene.arm_columns]
        """Where the joints of the arm are. Shape (K,)."""
        # what is a link of something articulated is not carried about
        self._held = None if held is None else scene._objects.get(held)
        if self._held is not None:
            self._held_in_eef = invert(eef_pose) @ scene._frame(self._held)
            self._held_qpos = int(scene.model.jnt_qposadr[scene.model.body_jntadr[self._held]])

    @property
    def low(self) -> Array:
        """Lower joint limits. Shape (K,)."""
        return self._scene.arm.low

    @property
    def high(self) -> Array:
        """Upper joint limits. Shape (K,)."""
        return self._scene.arm.high

    def reach(self, eef_pose: Array, seed: Array) -> Array | None:
        """Joint positions within their limits that bring the end effector to a pose, or None if none were found.

        Args:
            eef_pose: Shape (4, 4).
            seed: Joint positions to start from, best those of a pose near by. Shape (K,).

        Returns:
            Shape (K,).
        """
        return self._scene.arm.reach(self._scene._data, eef_pose @ self._scene._eef_to_hand, seed)

    def hand(self, joints: Array) -> Array:
        """Pose of the end effector at some joint positions. Shape (4, 4) from (K,)."""
        self._scene._data.qpos[self._scene.arm.places] = joints
        mujoco.mj_kinematics(self._scene.model, self._scene._data)
        return self._scene._frame(self._scene._hand) @ invert(self._scene._eef_to_hand)

    def distances(self, joints: Array) -> dict[tuple[str, str], float]:
        """How near the robot, with what it holds, comes to everything else.

        Args:
            joints: Shape (K,).

        Returns:
            Smallest distance in metres, negative where they overlap, of each pair that is nearer than `FAR_M`: first
            "robot" or the held object's name, then an object's name, or "" for what never moves.
        """
        scene, data = self._scene, self._scene._data
        data.qpos[scene.arm.places] = joints
        if self._held is not None:
            mujoco.mj_kinematics(scene.model, data)
            eef = scene._frame(scene._hand) @ invert(scene._eef_to_hand)
            pose = eef @ self._held_in_eef
            quat = np.empty(4)
            mujoco.mju_mat2Quat(quat, np.ascontiguousarray(pose[:3, :3]).ravel())
            data.qpos[self._held_qpos : self._held_qpos + 3] = pose[:3, 3]
            data.qpos[self._held_qpos + 3 : self._held_qpos + 7] = quat
        mujoco.mj_kinematics(scene.model, data)
        mujoco.mj_collision(scene.model, data)
        if not data.ncon:
            return {}
        contact = data.contact
        return self._nearest(np.array(contact.geom), np.array(contact.dist))

    def _nearest(self, geoms: NDArray[np.int32], distances: Array) -> dict[tuple[str, str], float]:
        scene = self._scene
        found: dict[tuple[str, str], float] = {}
        roots = scene._root_of_geom[geoms]
        for (one, other), pair, distance in zip(roots.tolist(), geoms.tolist(), distances.tolist(), strict=True):
            mine = [root == scene._root or root == self._held for root in (one, other)]
            if mine[0] == mine[1] and not (mine[0] and one != other):
                continue
            if mine[0] and mine[1]:
                # what is held touches the hand; it must not touch the arm
                arm = pair[0] if one == scene._root else pair[1]
                if scene._in_hand_of_geom[arm]:
                    continue
            first, second = (one, other) if mine[0] else (other, one)
            key = ("robot" if first == scene._root else scene._names[first], scene._names.get(second, ""))
            found[key] = min(distance, found.get(key, np.inf))
        return found


def _subtree(parents: NDArray[np.int32], top: int) -> NDArray[np.bool_]:
    """A body, and those that it carries. Shape (bodies,)."""
    below = np.zeros(len(parents), dtype=bool)
    below[top] = True
    for body in range(top + 1, len(parents)):
        below[body] = below[parents[body]]
    return below


def collision_scenes(session_env: Any, eef_poses: Mapping[str, Array]) -> dict[str, CollisionScene]:
    """Collision scenes for the end effectors that a differential-IK action moves; none for others.

    Args:
        session_env: A `ManagerBasedEnv` on the `native` backend.
        eef_poses: Pose of each end effector in environment 0 now. Shape (4, 4) each.
    """
    from isaaclab.envs.mdp.actions.task_space_actions import DifferentialInverseKinematicsAction

    manager = session_env.action_manager
    terms = [manager.get_term(name) for name in manager.active_terms]
    terms = [term for term in terms if isinstance(term, DifferentialInverseKinematicsAction)]
    if not terms:
        return {}
    chosen = {
        eef: min(terms, key=lambda term: float(np.linalg.norm(_carrier(term) - pose[:3, 3])))
        for eef, pose in eef_poses.items()
    }
    return {eef: CollisionScene(session_env, term, eef_poses[eef]) for eef, term in chosen.items()}


def _carrier(term: Any) -> Array:
    """Position of the link that an action term moves, in environment 0."""
    return term._asset.data.body_link_pose_w.torch[0, term._body_idx, :3].double().cpu().numpy()


def _without_actions(env: Any) -> list[Any]:
    """Articulations that no action moves."""
    manager = env.action_manager
    driven = {id(manager.get_term(name)._asset) for name in manager.active_terms}
    return [asset for asset in env.scene.articulations.values() if id(asset) not in driven]


def _columns(joint_ids: Any) -> Any:
    return joint_ids if isinstance(joint_ids, slice) else [int(i) for i in joint_ids]
