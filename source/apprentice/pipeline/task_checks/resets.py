"""Whether resets are what they say, rest, and are not done before anything was done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from apprentice.pipeline.task_checks.check import Check, CheckTaskCfg, judged
from apprentice.poses import position, rotation, rotation_angle

REST_S = 1.0
MOVED_M = 0.005
"""An object that moved farther within `REST_S` did not rest; an end effector did not stay."""
TURNED_RAD = 0.05
_SLACK = 1e-3
_ALIKE = 1e-5
"""States closer than this (m, rad, m/s, rad/s) are the same: PhysX rounds what is written to it."""


def resets(session: Any, cfg: CheckTaskCfg) -> Iterator[Check]:
    """Reset all environments with seeds of their own and let them rest."""
    ids = list(range(session.num_envs))
    seeds = [cfg.seed + number for number in ids]
    session.reset(ids, seeds)
    first, objects, hands = session.state(), session.object_poses(), session.eef_poses()
    early = [name for name, value in session.subtask_signals().items() if bool(value.any())]
    done = int(session.success().sum())
    yield judged(
        "signals after a reset",
        ", ".join(f"{name} is true" for name in early) or "all false",
        not early,
        "A subtask that is done before it begins can't be cut out of a demo: make the signal's condition stricter.",
    )
    yield judged(
        "success after a reset",
        f"true in {done} of {len(ids)} environments",
        not done,
        "Make the success term stricter, or the reset ranges such that nothing is done yet.",
    )
    yield _ranges(session, objects)
    yield _repeats(session, first, ids, seeds)
    yield from _rests(session, objects, hands)


def _ranges(session: Any, objects: Mapping[str, Tensor]) -> Check:
    ranges: Mapping[str, Mapping[str, tuple[float, float]]] = getattr(session.env.cfg, "object_reset_ranges", {})
    if not ranges:
        return Check(
            status="note",
            what="reset ranges",
            found="not stated",
            advice="State them as object_reset_ranges: coverage, maps of success and pages read them.",
        )
    outside = [
        f"{name} {axis} {float(value):.3f}"
        for name, axes in ranges.items()
        for axis, column in (("x", 0), ("y", 1))
        if axis in axes
        for value in position(objects[name])[:, column]
        if not axes[axis][0] - _SLACK <= float(value) <= axes[axis][1] + _SLACK
    ]
    return judged(
        "reset ranges",
        f"outside of them: {', '.join(outside[:3])}" if outside else f"kept for {', '.join(ranges)}",
        not outside,
        "Make object_reset_ranges say what the reset event draws.",
    )


def _repeats(session: Any, first: Mapping[str, Tensor], ids: list[int], seeds: list[int]) -> Check:
    session.reset(ids[::-1], seeds[::-1])
    again = session.state()
    apart = {key: float((value - again[key]).abs().max()) for key, value in first.items() if value.numel()}
    differing = [f"{key} differs by {most:.2g}" for key, most in apart.items() if not most < _ALIKE]
    moving = [key for key, value in first.items() if len(value) > 1 and not torch.equal(value[0], value[1])]
    if not differing and not moving:
        return Check(status="note", what="seeds", found="every seed gives the same state: resets draw nothing")
    return judged(
        "seeds",
        f"{differing[0]} when reset again" if differing else "each gives a state of its own, always the same",
        not differing,
        "Draw everything in reset events from torch, numpy or random, from nothing that lives on between resets.",
    )


def _rests(session: Any, objects: Mapping[str, Tensor], hands: Mapping[str, Tensor]) -> Iterator[Check]:
    for _ in range(round(REST_S * session.control_hz)):
        session.step(session.neutral_actions())
    for what, before, after, advice in (
        ("objects at rest", objects, session.object_poses(), "Begin with them just on their support, not in it."),
        (
            "end effectors stay",
            hands,
            session.eef_poses(),
            "An action of zero displacement must keep the arm where it is: raise its gains or compensate gravity.",
        ),
    ):
        moved = {
            name: float((position(after[name]) - position(pose)).norm(dim=-1).max()) for name, pose in before.items()
        }
        turned = {
            name: float(rotation_angle(rotation(pose).transpose(-1, -2) @ rotation(after[name])).max())
            for name, pose in before.items()
        }
        far = [name for name in before if moved[name] > MOVED_M or turned[name] > TURNED_RAD]
        words = [f"{name} moved {1000 * moved[name]:.0f} mm and turned {turned[name]:.2f} rad" for name in far]
        yield judged(
            what,
            f"within {REST_S:.0f} s {'; '.join(words)}" if far else f"within {1000 * max(moved.values()):.1f} mm",
            not far,
            advice,
        )
