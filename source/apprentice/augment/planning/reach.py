"""Whether an arm can follow source segments, told by its kinematics before anything is simulated.

Segments are moved into scenes as resets draw them, objects that they carry go where they were put, and the arm's joints
are searched for at a few poses along the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apprentice.augment.cfg import AugmentCfg
from apprentice.augment.paths.transform import displacements
from apprentice.errors import UserError
from apprentice.poses import inverse, make_pose, position, rotation_from_quat
from apprentice.robots.kinematics import Chain

from .plan import Planner

SCENES = 200
"""Initial states looked at: those of the first attempts."""
HOPELESS = 0.9
"""Share of scenes out of reach from which a run is refused."""
_POSES = 8
"""Poses looked at per segment."""
_REACHED_M, _REACHED_RAD = 0.01, 0.1
_RESTARTS = 4
_CARRIED_M = 0.03


@dataclass(frozen=True, kw_only=True)
class SubtaskReach:
    """How one subtask's segments lie for the arm."""

    name: str
    """Signal of its end, "final" for the last one."""
    scenes: int
    """Scenes looked at, each with one source demo."""
    out: int
    """Those with a pose out of reach."""
    missed_m: float
    """By how far, in the median of those; 0 if there are none."""
    demos: dict[str, int]
    """Those by source demo; without demos that were always in reach."""

    @property
    def share(self) -> float:
        return self.out / self.scenes

    def described(self) -> dict[str, Any]:
        """For a result file."""
        return asdict(self) | {"summary": str(self)}

    def __str__(self) -> str:
        return f"{self.name}: {100 * self.share:.0f} % of {self.scenes} sampled scenes out of reach"


def check_reach(session: Any, planner: Planner, cfg: AugmentCfg) -> list[SubtaskReach]:
    """Look at the segments of all source demos in the first scenes of a run. Resets environments, steps none.

    Args:
        session: The open task, one arm whose environment states its `hand`.
        planner: Of its end effector.
        cfg: Options.

    Raises:
        UserError: If a subtask is out of reach nearly everywhere.
    """
    starts, eefs, objects = _scenes(session, cfg)
    symmetry = session.task_info.symmetry if cfg.use_symmetry else {}
    found = reach_of(_chain(session), planner, starts, eefs, objects, symmetry)
    hopeless = [one for one in found if one.share >= HOPELESS]
    if hopeless:
        raise UserError(
            f"Expected source demos that the arm of {session.task} can follow, found {hopeless[0]} (by "
            f"{100 * hopeless[0].missed_m:.0f} cm): choose another variant or other source demos, or move the robot."
        )
    return found


def reach_of(
    chain: Chain,
    planner: Planner,
    starts: Tensor,
    eefs: Tensor,
    objects: Mapping[str, Tensor],
    symmetry: Mapping[str, int],
) -> list[SubtaskReach]:
    """How many scenes have segments out of reach, by subtask. Scene k is looked at with source demo k modulo D.

    Args:
        chain: The arm.
        planner: Of its end effector.
        starts: Joint positions. Shape (S, K).
        eefs: End effector, in the frame of the arm's base. Shape (S, 4, 4).
        objects: Objects, in that frame. Shape (S, 4, 4) each.
        symmetry: Order of each object's symmetry about its z axis; 1 where missing.
    """
    count, demos = len(starts), planner.demos
    paths = [
        _paths(planner, k % len(demos), eefs[k], {name: poses[k] for name, poses in objects.items()}, symmetry)
        for k in range(count)
    ]
    joints, found = starts, []
    for index, subtask in enumerate(planner.subtasks):
        missed = torch.zeros(count, dtype=torch.float64)
        for step in range(_POSES):
            targets = torch.stack([path[index][step] for path in paths])
            joints, distance, angle = _search(chain, targets, joints)
            # an angle out of reach counts as the arc it is at the length of a hand
            off = torch.maximum(distance * (distance > _REACHED_M), 0.1 * angle * (angle > _REACHED_RAD))
            missed = torch.maximum(missed, off)
        out = (missed > 0).nonzero().flatten().tolist()
        names = [demos[k % len(demos)].name for k in out]
        found.append(
            SubtaskReach(
                name=subtask.subtask_term_signal or "final",
                scenes=count,
                out=len(out),
                missed_m=float(missed[out].median()) if out else 0.0,
                demos={name: names.count(name) for name in dict.fromkeys(names)},
            )
        )
    return found


def _paths(
    planner: Planner, which: int, eef: Tensor, objects: dict[str, Tensor], symmetry: Mapping[str, int]
) -> list[Tensor]:
    """Where the hand goes in one scene, subtask by subtask. Shape (_POSES, 4, 4) each."""
    demo, paths = planner.demos[which], []
    for subtask, (start, end) in zip(planner.subtasks, planner.nominal[which], strict=True):
        about, segment = subtask.object_ref, slice(int(start), int(end))
        path = demo.eef[planner.eef][segment]
        moved = torch.eye(4, dtype=torch.float64)
        if about is not None:
            there = demo.objects[about][int(start)]
            moved = displacements(there, objects[about], path[0], eef, symmetry.get(about, 1))[0]
        picked = np.linspace(0, len(path) - 1, _POSES).round().astype(int)
        paths.append(moved @ path[picked])
        for name, track in demo.objects.items():
            if (position(track[segment][-1]) - position(track[segment][0])).norm() > _CARRIED_M:
                objects[name] = moved @ track[segment][-1]
        eef = paths[-1][-1]
    return paths


def _search(chain: Chain, targets: Tensor, near: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The arm's joints for one pose per scene, near to where they were if possible, else from anywhere."""
    joints, distance, angle = chain.solve(targets, near)
    rng = torch.Generator().manual_seed(0)
    for _ in range(_RESTARTS):
        lost = ((distance > _REACHED_M) | (angle > _REACHED_RAD)).nonzero().flatten()
        if not len(lost):
            break
        anywhere = torch.rand(len(lost), len(chain.names), generator=rng, dtype=torch.float64)
        again = chain.solve(targets[lost], chain.lower + anywhere * (chain.upper - chain.lower))
        nearer = again[1] + 0.1 * again[2] < distance[lost] + 0.1 * angle[lost]
        for old, new in zip((joints, distance, angle), again, strict=True):
            old[lost[nearer]] = new[nearer]
    return joints, distance, angle


def _chain(session: Any) -> Chain:
    hand = session.env.hand
    return Chain(session.env.cfg.scene.robot.spawn.usd_path, hand.link, tool_m=hand.tcp_m)


def _scenes(session: Any, cfg: AugmentCfg) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Joint positions, end effector and objects after the resets of the first attempts, in the frame of the base."""
    names, robot = _chain(session).names, session.env.scene["robot"]
    columns = [robot.joint_names.index(name) for name in names]
    (eef,) = session.task_info.eef_names
    joints, eefs, objects = [], [], []
    for first in range(0, SCENES, session.num_envs):
        rows = range(min(session.num_envs, SCENES - first))
        obs = session.reset(list(rows), [cfg.seed + first + row for row in rows])
        root = robot.data.root_pose_w.torch[list(rows)].double()
        origins = session.env.scene.env_origins[list(rows)].double()
        to_base = inverse(make_pose(root[:, :3] - origins, rotation_from_quat(root[:, 3:7])))
        joints.append(robot.data.joint_pos.torch[list(rows)][:, columns].double())
        eefs.append(to_base @ obs[f"datagen_info/eef_pose/{eef}"][list(rows)].double())
        objects.append({name: to_base @ pose[list(rows)].double() for name, pose in session.object_poses().items()})
    return (
        torch.cat(joints),
        torch.cat(eefs),
        {name: torch.cat([part[name] for part in objects]) for name in objects[0]},
    )
