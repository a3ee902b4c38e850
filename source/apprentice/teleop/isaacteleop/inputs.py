"""Hands in the form that NVIDIA's pipelines take in: as controllers, and as the hand joints that are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from apprentice.errors import UserError
from apprentice.teleop.frame import Pose

from .extra import isaacteleop

SIDES = ("left", "right")
ANCHOR_INPUT = "world_T_anchor"
"""Name by which pipelines ask where the operator stands in the world."""
OPEN_PINCH_M = 0.08
"""Distance of thumb and index finger of an open hand. A closed pinch has none."""


@dataclass(kw_only=True, frozen=True)
class XrHand:
    """One hand as OpenXR would tell of it."""

    pose: Pose
    """In OpenXR's axes. Shape (4, 4)."""
    grip: float
    """Trigger or pinch, 0 open to 1 closed."""
    engaged: bool
    """Whether it is squeezed."""


class Inputs:
    """Makes the inputs of one pipeline."""

    def __init__(self, leaves: list[Any]) -> None:
        """Args: leaves: What the pipeline wants to know.

        Raises:
            UserError: If it wants something that hands do not tell.
        """
        nodes = isaacteleop("retargeting_engine.deviceio_source_nodes")
        self._leaves = leaves
        self._hands_nodes = tuple(leaf for leaf in leaves if isinstance(leaf, nodes.HandsSource))
        self._schema = isaacteleop("schema")
        self._interface = isaacteleop("retargeting_engine.interface")
        self._types = isaacteleop("retargeting_engine.tensor_types")
        known = (nodes.ControllersSource, nodes.HandsSource, nodes.HeadSource)
        strange = [leaf.name for leaf in leaves if not isinstance(leaf, known) and leaf.name != ANCHOR_INPUT]
        if strange:
            raise UserError(
                "Expected a pipeline that is driven by controllers, hands and head, found that it also wants "
                f"{', '.join(strange)}: drive this task with another --device."
            )

    def leaf_inputs(self, hands: Mapping[str, XrHand], world_from_openxr: Pose) -> dict[str, dict[str, Any]]:
        """What each leaf is given. Hands that are missing were never seen, as the head is not."""
        return {
            leaf.name: {
                key: self._input(key, kind, hands, world_from_openxr) for key, kind in leaf.input_spec().items()
            }
            for leaf in self._leaves
        }

    def cached_outputs(self, hands: Mapping[str, XrHand]) -> dict[int, dict[str, Any]]:
        """Outputs of the leaves that give hand joints, by identity: no input of theirs can be made in Python."""
        joints = {f"hand_{side}": self._joints(hands.get(side)) for side in SIDES}
        return {id(node): joints for node in self._hands_nodes}

    def _input(self, key: str, kind: Any, hands: Mapping[str, XrHand], world_from_openxr: Pose) -> Any:
        group = self._interface.TensorGroup(kind)
        if "controller" in key:
            group[0] = self._controller(hands.get("left" if "left" in key else "right"))
        elif "hand" in key:
            group[0] = self._schema.HandPoseTrackedT()
        elif "head" in key:
            group[0] = self._schema.HeadPoseTrackedT()
        else:
            group[0] = world_from_openxr.astype(np.float32)
        return group

    def _controller(self, hand: XrHand | None) -> Any:
        schema = self._schema
        if hand is None:
            return schema.ControllerSnapshotTrackedT()
        position, quat = _parts(hand.pose)
        pose = schema.ControllerPose(schema.Pose(schema.Point(*position), schema.Quaternion(*quat)), True)
        held = schema.ControllerInputState(False, False, False, False, 0.0, 0.0, float(hand.engaged), hand.grip)
        return schema.ControllerSnapshotTrackedT(schema.ControllerSnapshot(pose, pose, held))

    def _joints(self, hand: XrHand | None) -> Any:
        """Palm, wrist and the tips of a pinch; the others are marked as unknown."""
        kind = isaacteleop("retargeting_engine.interface.tensor_group_type").OptionalType(self._types.HandInput())
        group = self._interface.OptionalTensorGroup(kind)
        if hand is None:
            group.set_none()
            return group
        joint, index = self._types.HandJointIndex, self._types.HandInputIndex
        position, quat = _parts(hand.pose)
        aside = hand.pose[:3, 1] * (1.0 - hand.grip) * OPEN_PINCH_M / 2
        count = len(joint)
        positions, valid = np.tile(np.array(position, np.float32), (count, 1)), np.zeros(count, np.uint8)
        positions[joint.THUMB_TIP] += aside.astype(np.float32)
        positions[joint.INDEX_TIP] -= aside.astype(np.float32)
        valid[[joint.PALM, joint.WRIST, joint.THUMB_TIP, joint.INDEX_TIP]] = 1
        group[index.JOINT_POSITIONS] = positions
        group[index.JOINT_ORIENTATIONS] = np.tile(np.array(quat, np.float32), (count, 1))
        group[index.JOINT_RADII] = np.full(count, 0.01, np.float32)
        group[index.JOINT_VALID] = valid
        return group


def _parts(pose: Pose) -> tuple[list[float], list[float]]:
    """Position and quaternion xyzw."""
    turn: NDArray[np.float64] = Rotation.from_matrix(pose[:3, :3]).as_quat()
    return pose[:3, 3].tolist(), turn.tolist()
