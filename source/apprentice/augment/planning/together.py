"""Plans of two end effectors that do something together: one source demo, one displacement, one pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from apprentice.augment.lessons import Lessons
from apprentice.augment.paths.transform import turned
from apprentice.augment.sources.demos import SourceDemo
from apprentice.augment.sources.segment import Boundaries
from apprentice.poses import (
    exp_rotation,
    interpolate,
    inverse,
    make_pose,
    position,
    rotation,
    rotation_angle,
)

from .constraints import Key, Together
from .plan import Plan, Planner, Scene, Shared
from .select import METRES_PER_RAD

_MOVED_M = 0.03
_SLIPPED_M = 0.015


def share(
    link: Together,
    planners: Mapping[str, Planner],
    boundaries: Mapping[str, Boundaries],
    scene: Scene,
    *,
    failed: Sequence[int],
    keep_demo: int | None,
    lessons: Lessons,
    rng: np.random.Generator,
) -> Shared:
    """Settle which source demo two subtasks are played from, and how it is moved.

    Args:
        link: What ties them. The first of its subtasks chooses.
        planners: One per end effector.
        boundaries: Segment boundaries in use, per end effector. Shape (D, S, 2) each.
        scene: Where things are.
        failed: Source demos that were tried in vain.
        keep_demo: Source demo to use instead of choosing one.
        lessons: What is known of earlier attempts.
        rng: The attempt's generator.
    """
    eef, index = link.subtasks[0]
    leader = planners[eef]
    chosen, _ = leader.choose(
        index, scene, boundaries[eef], failed=failed, keep_demo=keep_demo, lessons=lessons, rng=rng
    )
    demo = leader.demos[chosen]
    about: str | None = leader.subtasks[index].object_ref
    starts = {name: int(boundaries[name][chosen, number, 0]) for name, number in link.subtasks}
    firsts = {name: demo.target[name][start] for name, start in starts.items()}
    source = None if about is None else demo.objects[about][starts[eef]]
    if about is None or source is None or link.scheme == "replay":
        moved = torch.eye(4, dtype=torch.float64)
    elif link.scheme == "translate":
        moved = make_pose(position(scene.objects[about]) - position(source), torch.eye(3, dtype=torch.float64))
    else:
        moved = common_displacement(source, scene.objects[about], firsts, scene.eef, leader.symmetry.get(about, 1))
    if link.position_noise_m or link.rotation_noise_rad:
        centre = torch.stack([position(first) for first in firsts.values()]).mean(0)
        centre = position(moved @ make_pose(centre if source is None else position(source), rotation(moved)))
        moved = _shaken(moved, centre, link, rng)
    spans = {name: slice(*(int(step) for step in boundaries[name][chosen, number])) for name, number in link.subtasks}
    return Shared(chosen, moved, about if about is not None and _all_carry(demo, about, spans) else None)


def common_displacement(
    source_object: Tensor, present_object: Tensor, firsts: Mapping[str, Tensor], eefs: Mapping[str, Tensor], order: int
) -> Tensor:
    """The rigid motion from source to present scene; of the symmetric ones that which is nearest for all end effectors.

    Args:
        source_object: Object at the segment's start in the source demo. Shape (4, 4).
        present_object: Object now. Shape (4, 4).
        firsts: First target of the segment, per end effector. Shape (4, 4).
        eefs: End effectors now. Shape (4, 4).
        order: Order of the object's symmetry about its z axis.
    """
    candidates = turned(present_object, order) @ inverse(source_object)
    way = torch.zeros(order, dtype=candidates.dtype)
    for eef, first in firsts.items():
        goals = candidates @ first
        way += (position(goals) - position(eefs[eef])).norm(dim=-1)
        way += METRES_PER_RAD * rotation_angle(rotation(eefs[eef]).T @ rotation(goals))
    return candidates[int(way.argmin())]


def meeting(plan: Plan, other_start: int) -> Plan:
    """Let a plan wait, at the first step that two segments of one source demo have in common, for the other plan.

    What both do from there on happened at the same time in the source demo.

    Args:
        plan: One of them.
        other_start: First step of the other's segment in the source demo.
    """
    alone = min(max(other_start - plan.start, 0), plan.end - plan.start - 1)
    return replace(plan, meet_at=plan.bridge_steps + alone)


def in_step(plans: Mapping[Key, Plan]) -> dict[Key, Plan]:
    """Let plans that begin together meet at the same time: the one with the shorter way takes it more slowly."""
    latest = max(plan.meet_at or 0 for plan in plans.values())
    return {key: _delayed(plan, latest - (plan.meet_at or 0)) for key, plan in plans.items()}


def _delayed(plan: Plan, steps: int) -> Plan:
    """A plan with a bridge that is longer by so many steps, over the same path."""
    count = plan.bridge_steps
    if steps <= 0 or not count:
        return plan
    longer = count + steps
    at = (torch.arange(1, longer + 1, dtype=torch.float64) * count / longer - 1.0).clamp_min(0.0)
    low = at.long().clamp(max=count - 1)
    high = (low + 1).clamp(max=count - 1)

    def slowed(path: Tensor) -> Tensor:
        return torch.cat((interpolate(path[low], path[high], (at - low).to(path.dtype)), path[count:]))

    return replace(
        plan,
        targets=slowed(plan.targets),
        labels=slowed(plan.labels),
        gripper=torch.cat((plan.gripper[:1].expand(longer, -1), plan.gripper[count:])),
        bridge_steps=longer,
        meet_at=None if plan.meet_at is None else plan.meet_at + steps,
    )


def _shaken(moved: Tensor, centre: Tensor, link: Together, rng: np.random.Generator) -> Tensor:
    shift = torch.from_numpy(rng.uniform(-link.position_noise_m, link.position_noise_m, 3))
    turn = exp_rotation(torch.from_numpy(rng.uniform(-link.rotation_noise_rad, link.rotation_noise_rad, 3)))
    return make_pose(turn @ (position(moved) - centre) + centre + shift, turn @ rotation(moved))


def _all_carry(demo: SourceDemo, about: str, spans: Mapping[str, slice]) -> bool:
    """Whether all end effectors hold the object all the time, and move it."""
    for eef, span in spans.items():
        held = demo.objects[about][span]
        in_hand = position(inverse(demo.eef[eef][span]) @ held)
        moves = (position(held) - position(held[0])).norm(dim=-1).max() > _MOVED_M
        if not moves or (in_hand - in_hand[0]).norm(dim=-1).max() > _SLIPPED_M:
            return False
    return True
