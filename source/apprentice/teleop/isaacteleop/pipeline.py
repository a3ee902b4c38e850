"""A stock task's own Isaac Teleop pipeline in place of our retargeting.

These pipelines are absolute: the arm goes to where the hand is in the world, as if the operator stood at the anchor
that the task names. They know no clutch, so a hand that lets go stays, for them, where it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from apprentice.errors import UserError
from apprentice.tasks.session import Session
from apprentice.teleop.frame import Hand, Pose, TeleopFrame

from .axes import to_openxr
from .extra import isaacteleop
from .inputs import SIDES, Inputs, XrHand

_Z_UP_FROM_OPENXR = np.array(((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)))
"""Isaac Lab's: x stays to the right, and forward is y. The task's anchor turns that to where it wants it."""


def pipeline_of(session: Session) -> TaskPipeline:
    """The pipeline that a session's task names.

    Raises:
        UserError: If it names none, or one that cannot run here, or the extra is not installed.
    """
    cfg: Any = getattr(session.env.cfg, "isaac_teleop", None)
    if cfg is None:
        raise UserError(
            "Expected a task with a pipeline for Isaac Teleop, such as Isaac-Stack-Cube-Franka-IK-Abs-Mimic-v0, found "
            f"{session.task}, which has none: drive it with --device xr."
        )
    if session.num_envs != 1:
        raise UserError(f"Expected one environment for Isaac Teleop's one operator, found {session.num_envs}.")
    target = cfg.target_frame_prim_path
    return TaskPipeline(
        cfg,
        session.task_info.eef_names or SIDES,
        action_dim=session.env.action_manager.total_action_dim,
        target_in_world=None if target is None else lambda: _link_pose(session, target),
    )


class TaskPipeline:
    """Turns one operator's frames into a task's actions by NVIDIA's retargeters."""

    def __init__(
        self,
        cfg: Any,
        eefs: Sequence[str],
        *,
        action_dim: int,
        target_in_world: Callable[[], Pose] | None = None,
    ) -> None:
        """Build the pipeline.

        Args:
            cfg: Isaac Lab's `IsaacTeleopCfg`.
            eefs: End effectors that frames name. A single one is driven by one hand, which stands for both.
            action_dim: Width of the task's actions.
            target_in_world: Gives the frame in which the task wants poses, as it is now; None is the world.

        Raises:
            UserError: If it cannot run here.
        """
        if cfg.xr_cfg.anchor_prim_path is not None:
            raise UserError(
                "Expected an operator who stands still beside the robot, found a pipeline whose anchor follows "
                f"{cfg.xr_cfg.anchor_prim_path}: drive this task with --device xr."
            )
        interface = isaacteleop("retargeting_engine.interface")
        try:
            self._pipeline: Any = cfg.pipeline_builder()
        except ImportError as error:
            raise UserError(
                f"Expected to build the task's pipeline, found that a package is missing: {error}."
            ) from error
        self._inputs = Inputs(self._pipeline.get_leaf_nodes())
        self._cache, self._context = interface.retargeter_core_types.ExecutionCache, interface.ComputeContext
        self._events = isaacteleop("retargeting_engine.interface.execution_events").ExecutionEvents
        self._eef_of = eef_of_sides(eefs)
        self._world_from_openxr = _anchor(cfg.xr_cfg)
        self._action_dim, self._target_in_world = action_dim, target_in_world
        self.reset()

    def reset(self, grips: Mapping[str, float] | None = None) -> None:
        """Begin, or go on: forget where hands were. Nothing moves until all of them are engaged.

        Args:
            grips: By end effector, how far the grippers are closed, 0 to 1. They stay so until the hand agrees, and
                follow it from then on. None follows at once.
        """
        self._hands: dict[str, XrHand] = {}
        self._kept = dict(grips or {})
        self._fresh = True

    def actions(self, frames: Sequence[TeleopFrame | None]) -> Tensor | None:
        """What the operator wants now.

        Args:
            frames: The only environment's; poses in it count, twists do not.

        Returns:
            Actions, shape (1, A), or None while there is nothing to follow: the robot is to stand still.
        """
        (frame,) = frames
        for side, eef in self._eef_of.items():
            hand = frame.hands.get(eef) if frame else None
            if hand is None or hand.pose is None:
                continue
            if hand.engaged:
                self._hands[side] = XrHand(pose=to_openxr(hand.pose), grip=self._grip(eef, hand), engaged=True)
            elif side in self._hands:
                self._hands[side] = replace(self._hands[side], grip=self._grip(eef, hand), engaged=False)
        if frame is None or self._hands.keys() != self._eef_of.keys():
            return None
        return self._run()

    def _grip(self, eef: str, hand: Hand) -> float:
        """The hand's, once it agreed with how the gripper is: going on does not begin with a drop."""
        kept = self._kept.get(eef)
        if kept is not None and (hand.grip > 0.5) != (kept > 0.5):
            return kept
        self._kept.pop(eef, None)
        return min(1.0, max(0.0, hand.grip))

    def _run(self) -> Tensor:
        world = self._world_from_openxr
        if self._target_in_world is not None:
            world = np.linalg.inv(self._target_in_world()) @ world
        context = self._context(execution_events=self._events(reset=self._fresh))
        cache = self._cache(self._inputs.leaf_inputs(self._hands, world), context)
        for node, outputs in self._inputs.cached_outputs(self._hands).items():
            cache.cache(node, outputs)
        result = self._pipeline.execute_pipeline_with_cache(cache)
        self._fresh = False
        action = torch.as_tensor(np.from_dlpack(result["action"][0]).astype(np.float32)).reshape(1, -1)
        if action.shape[1] != self._action_dim:
            raise UserError(
                f"Expected {self._action_dim} numbers, as the task's action has, found {action.shape[1]} from its "
                "Isaac Teleop pipeline: drive this task with --device xr."
            )
        return action


def eef_of_sides(eefs: Sequence[str]) -> dict[str, str]:
    """The end effector whose hand is on each side."""
    if len(eefs) == 1:
        return dict.fromkeys(SIDES, eefs[0])
    found = {"left" if "left" in eef.lower() else "right": eef for eef in eefs}
    if len(found) < len(eefs):
        raise UserError(f"Expected a left and a right end effector, found {', '.join(eefs)}.")
    return found


def _anchor(xr_cfg: Any) -> Pose:
    """OpenXR's floor in the world: where the task puts the operator. Shape (4, 4)."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat(xr_cfg.anchor_rot).as_matrix() @ _Z_UP_FROM_OPENXR
    pose[:3, 3] = xr_cfg.anchor_pos
    return pose


def _link_pose(session: Session, path: str) -> Pose:
    """Pose in the world of a robot's link, by its path in the scene. Shape (4, 4)."""
    link = path.rsplit("/", 1)[-1]
    for robot in session.env.scene.articulations.values():
        if re.match(f"{robot.cfg.prim_path}/", path) and link in robot.body_names:
            place = robot.data.body_link_pose_w.torch[0, robot.body_names.index(link)].double().numpy(force=True)
            pose = np.eye(4)
            pose[:3, :3], pose[:3, 3] = Rotation.from_quat(place[3:7]).as_matrix(), place[:3]
            return pose
    raise UserError(f"Expected a robot's link at {path}, where the task wants poses, found none.")
