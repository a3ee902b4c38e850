"""Whether actions mean what the Mimic interface says, and lead where the objects are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from apprentice.pipeline.task_checks.check import Check, CheckTaskCfg, judged
from apprentice.poses import exp_rotation, make_pose, position, rotation, rotation_angle, rotation_z
from apprentice.tasks.eef_maps import action_to_gripper, action_to_target, target_to_action

ROUND_TRIP_M = 1e-4
ARRIVED_M = 0.015
ABOVE_M = 0.12
"""How far above objects the hands are sent."""
_AHEAD_M = 0.08
"""How far ahead of where it is a hand is sent: controllers lag behind what they are told."""
_SECONDS = 5.0


def actions(session: Any, cfg: CheckTaskCfg) -> Iterator[Check]:
    """Turn targets into actions and back, and send the hands above the objects."""
    ids = list(range(session.num_envs))
    session.reset(ids, [cfg.seed + number for number in ids])
    hands = session.eef_poses()
    grips = action_to_gripper(session.env, session.neutral_actions())
    draw = torch.Generator().manual_seed(cfg.seed)

    def near(pose: Tensor) -> Tensor:
        shift, turn = (0.02 * torch.randn(len(pose), 3, generator=draw) for _ in range(2))
        return make_pose(position(pose) + shift.to(pose), exp_rotation(turn.to(pose)) @ rotation(pose))

    targets = {eef: near(pose) for eef, pose in hands.items()}
    asked = target_to_action(session.env, targets, grips)
    back, again = action_to_target(session.env, asked), action_to_gripper(session.env, asked)
    off = max(float((position(back[eef]) - position(pose)).norm(dim=-1).max()) for eef, pose in targets.items())
    turned = max(
        float(rotation_angle(rotation(back[eef]).transpose(-1, -2) @ rotation(pose)).max())
        for eef, pose in targets.items()
    )
    grip = max(float((again[eef] - value).abs().max()) for eef, value in grips.items())
    yield judged(
        "action maps, there and back",
        f"off by {1000 * off:.2g} mm, {turned:.2g} rad, gripper {grip:.2g}",
        off < ROUND_TRIP_M and turned < 1e-3 and grip < 1e-4,
        "action_to_target_eef_pose must undo target_eef_pose_to_action; see that both use the same frame and scale.",
    )
    yield from _reaches(session, ids, cfg)


def _reaches(session: Any, ids: list[int], cfg: CheckTaskCfg) -> Iterator[Check]:
    """Send each hand in turn above each object; it is enough that one of them gets there. What the task's configuration
    names in `beyond_reach` need not be reached: a tool gets there."""
    missed: dict[str, int] = {}
    beyond: tuple[str, ...] = getattr(session.env.cfg, "beyond_reach", ())
    for name in (name for name in session.object_poses() if name not in beyond):
        arrived = torch.zeros(len(ids), dtype=torch.bool)
        for eef in session.task_info.eef_names:
            session.reset(ids, [cfg.seed + number for number in ids])
            pose = session.object_poses()[name]
            goal = position(pose).clone()
            goal[:, 2] += ABOVE_M
            arrived |= _sent(session, eef, goal, _turn(session, name, pose)).cpu()
        missed[name] = int((~arrived).sum())
    far = {name: count for name, count in missed.items() if count}
    yield judged(
        "reach",
        "; ".join(f"no hand gets above {name} in {count} of {len(ids)} resets" for name, count in far.items())
        or f"a hand gets above {', '.join(missed)} in all {len(ids)} resets",
        not far,
        "Narrow the reset ranges, or move the robot: what can't be reached can't be recorded.",
    )


def _turn(session: Any, name: str, pose: Tensor) -> Tensor:
    """How far a robot that walks turns about the vertical to face an object as it lies; 0 for others. Shape (N,)."""
    yaw = torch.atan2(pose[:, 1, 0], pose[:, 0, 0])
    if session.base_pose() is None:
        return torch.zeros_like(yaw)
    period = 2 * math.pi / session.task_info.symmetry.get(name, 1)
    return torch.remainder(yaw + period / 2, period) - period / 2


def _sent(session: Any, eef: str, goal: Tensor, turn: Tensor) -> Tensor:
    """Move one hand straight to a place, turning it on the way; the others stay. Whether it got there. Shape (N,)."""
    stay: Mapping[str, Tensor] = session.eef_poses()
    grips = action_to_gripper(session.env, session.neutral_actions())
    begun = (goal - position(stay[eef])).norm(dim=-1).clamp_min(1e-6)
    for _ in range(round(_SECONDS * session.control_hz)):
        here = session.eef_poses()[eef]
        way = goal - position(here)
        ahead = way * (_AHEAD_M / way.norm(dim=-1, keepdim=True).clamp_min(1e-6)).clamp_max(1.0)
        share = (1 - way.norm(dim=-1) / begun).clamp(0.0, 1.0)
        target = make_pose(position(here) + ahead, rotation_z(share * turn) @ rotation(stay[eef]))
        session.step(target_to_action(session.env, {**stay, eef: target}, grips))
    return (goal - position(session.eef_poses()[eef])).norm(dim=-1) < ARRIVED_M
