"""Where a robot's hand can go: forward and inverse kinematics of one arm, read off its USD file. No simulator runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from apprentice.errors import UserError
from apprentice.poses import exp_rotation, inverse, log_rotation, make_pose, position, rotation, rotation_from_quat

_DAMPING = 0.03
"""Of the least squares, so that steps stay small near stretched arms."""
_MOST_RAD = 0.3
"""Longest step of a joint in one iteration (rad, or m where it slides)."""
_METRES_PER_RAD = 0.2
"""Exchange rate between errors in position and in rotation."""


@dataclass(frozen=True)
class _Joint:
    """One joint on the way from the base to the hand. Frames are those of a joint in USD, in both bodies it joins."""

    name: str
    kind: str
    """revolute, prismatic or fixed."""
    axis: Tensor
    """In the joint's frame. Shape (3,)."""
    in_parent: Tensor
    """Shape (4, 4)."""
    from_child: Tensor
    """The child's frame in the joint's. Shape (4, 4)."""
    lower: float
    upper: float


class Chain:
    """The joints between a robot's base link and one of its links. K of them move. Everything is float64."""

    def __init__(self, usd: Path | str, link: str, *, tool_m: float = 0.0) -> None:
        """Read a robot.

        Args:
            usd: Its file.
            link: Name of the link at the end.
            tool_m: How far along that link's z axis the controlled point is (m).

        Raises:
            UserError: If the file has no such link, or joints of other kinds lead to it.
        """
        self._joints = joints_to(str(usd), link)
        self._moving = [joint for joint in self._joints if joint.kind != "fixed"]
        self.names = tuple(joint.name for joint in self._moving)
        """Joints that move, from the base on."""
        self.lower = torch.tensor([joint.lower for joint in self._moving], dtype=torch.float64)
        self.upper = torch.tensor([joint.upper for joint in self._moving], dtype=torch.float64)
        self._tool = torch.eye(4, dtype=torch.float64)
        self._tool[2, 3] = tool_m

    def forward(self, joints: Tensor) -> Tensor:
        """Pose of the controlled point in the base link's frame. Shape (B, 4, 4) of joint positions (B, K)."""
        return self._forward(joints)[0]

    def solve(self, targets: Tensor, start: Tensor, *, iterations: int = 60) -> tuple[Tensor, Tensor, Tensor]:
        """Joint positions within the limits that bring the hand as near to targets as damped least squares gets.

        Args:
            targets: In the base link's frame. Shape (B, 4, 4).
            start: Where to search from. Shape (B, K).
            iterations: Most steps of the search.

        Returns:
            Joint positions (B, K), and what is left: distance (m) and angle (rad). Shape (B,) each.
        """
        joints = start.clone()
        scale = torch.tensor([1.0] * 3 + [_METRES_PER_RAD] * 3, dtype=torch.float64)
        damping = _DAMPING**2 * torch.eye(6, dtype=torch.float64)
        for _ in range(iterations):
            pose, jacobian = self._forward(joints)
            error = _error(pose, targets)
            if bool((error[:, :3].norm(dim=1) < 1e-4).all() and (error[:, 3:].norm(dim=1) < 1e-3).all()):
                break
            scaled = jacobian * scale[:, None]
            gram = scaled @ scaled.transpose(1, 2) + damping
            step = (scaled.transpose(1, 2) @ torch.linalg.solve(gram, (error * scale)[:, :, None]))[:, :, 0]
            step = step * (_MOST_RAD / step.abs().amax(1, keepdim=True).clamp_min(_MOST_RAD))
            joints = (joints + step).clamp(self.lower, self.upper)
        error = _error(self.forward(joints), targets)
        return joints, error[:, :3].norm(dim=1), error[:, 3:].norm(dim=1)

    def _forward(self, joints: Tensor) -> tuple[Tensor, Tensor]:
        """Pose, and its derivative by the joints. Shapes (B, 4, 4) and (B, 6, K)."""
        pose = torch.eye(4, dtype=torch.float64).expand(len(joints), 4, 4)
        axes, anchors, column = [], [], 0
        for joint in self._joints:
            pose = pose @ joint.in_parent
            if joint.kind != "fixed":
                axes.append(rotation(pose) @ joint.axis)
                anchors.append(position(pose))
                pose = pose @ _motion(joint, joints[:, column])
                column += 1
            pose = pose @ joint.from_child
        pose = pose @ self._tool
        columns = []
        for joint, axis, anchor in zip(self._moving, axes, anchors, strict=True):
            turns = joint.kind == "revolute"
            linear = torch.linalg.cross(axis, position(pose) - anchor) if turns else axis
            columns.append(torch.cat((linear, axis if turns else torch.zeros_like(axis)), 1))
        return pose, torch.stack(columns, 2)


def _motion(joint: _Joint, value: Tensor) -> Tensor:
    """Shape (B, 4, 4)."""
    along = value[:, None] * joint.axis
    still = torch.zeros_like(along)
    return make_pose(still, exp_rotation(along)) if joint.kind == "revolute" else make_pose(along, exp_rotation(still))


def _error(pose: Tensor, target: Tensor) -> Tensor:
    """What moves and turns `pose` to `target`, in the base's axes. Shape (B, 6)."""
    turn = log_rotation(rotation(target) @ rotation(pose).transpose(-1, -2))
    return torch.cat((position(target) - position(pose), turn), 1)


def joints_to(usd: str, link: str, base: str | None = None) -> list[_Joint]:
    """The joints on the way to a link, from the base on.

    Args:
        usd: The robot's file.
        link: Name of the link at the end.
        base: Name of the link to begin at; None begins at the root.

    Raises:
        UserError: If the file has no such link, or joints of other kinds lead to it.
    """
    from pxr import Usd, UsdPhysics

    stage: Any = Usd.Stage.Open(usd)
    by_child: dict[str, Any] = {}
    for prim in stage.Traverse():
        if prim.IsA(UsdPhysics.Joint):
            by_child.update(dict.fromkeys(_bodies(prim, 1), prim))
    found = [path for path in by_child if path.rpartition("/")[2] == link]
    if not found:
        raise UserError(f"Expected a link '{link}' on the arm in {usd}, found none.")
    joints: list[_Joint] = []
    path = found[0]
    while path in by_child and path.rpartition("/")[2] != base:
        prim = by_child[path]
        joints.append(_joint(prim))
        path = next(iter(_bodies(prim, 0)), "")
    return joints[::-1]


def _bodies(joint: Any, side: int) -> list[str]:
    """Paths of what is joined: the parent (0) or the child (1)."""
    return [str(path) for path in joint.GetRelationship(f"physics:body{side}").GetTargets()]


def _joint(prim: Any) -> _Joint:
    kinds = {"PhysicsRevoluteJoint": "revolute", "PhysicsPrismaticJoint": "prismatic", "PhysicsFixedJoint": "fixed"}
    kind = kinds.get(prim.GetTypeName())
    if kind is None:
        raise UserError(f"Expected joints that turn or slide, found {prim.GetName()}, a {prim.GetTypeName()}.")
    axis = torch.zeros(3, dtype=torch.float64)
    lower = upper = 0.0
    if kind != "fixed":
        axis["XYZ".index(prim.GetAttribute("physics:axis").Get())] = 1.0
        unit = math.pi / 180 if kind == "revolute" else 1.0
        lower, upper = (unit * prim.GetAttribute(f"physics:{end}Limit").Get() for end in ("lower", "upper"))
    return _Joint(
        prim.GetName(),
        kind,
        axis,
        in_parent=_frame(prim, 0),
        from_child=inverse(_frame(prim, 1)),
        lower=lower,
        upper=upper,
    )


def _frame(prim: Any, body: int) -> Tensor:
    place = prim.GetAttribute(f"physics:localPos{body}").Get()
    quat = prim.GetAttribute(f"physics:localRot{body}").Get()
    xyzw = torch.tensor([*quat.GetImaginary(), quat.GetReal()], dtype=torch.float64)
    return make_pose(torch.tensor([*place], dtype=torch.float64), rotation_from_quat(xyzw))
