"""Pauses of the operator, taken out of source demos.

Operators hesitate: with the hand open over an object, for a second or two, for no reason that anything in the scene
shows. Played again in hundreds of generated demos, such a pause teaches a policy to stay where it is, and a policy that
does not know how long it has waited stays there for good.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from apprentice.poses import inverse, position, rotation, rotation_angle

from .contact import gripper_changes
from .demos import SourceDemo

_SPEED_M_S = 0.04
"""A hand slower than this rests..."""
_TURN_RAD_S = 0.4
"""...if it also turns more slowly than this..."""
_OBJECT_M_S = 0.02
"""...and no object is faster than this."""
_KEPT_S = 0.15
"""What is kept of a pause at either end."""
_SETTLING_S = 0.75
"""What is kept of it after a gripper command or a subtask signal has changed: grippers need their time."""


def without_pauses(demo: SourceDemo, control_hz: float) -> SourceDemo:
    """Leave out the middle of every pause.

    Args:
        demo: As it was recorded.
        control_hz: Control steps per second.

    Returns:
        The same demo with fewer steps; itself if nobody paused.
    """
    kept = kept_steps(demo, control_hz)
    if kept.all():
        return demo
    rows = torch.from_numpy(kept)
    return replace(
        demo,
        length=int(kept.sum()),
        eef={name: poses[rows] for name, poses in demo.eef.items()},
        target={name: poses[rows] for name, poses in demo.target.items()},
        gripper={name: commands[rows] for name, commands in demo.gripper.items()},
        objects={name: poses[rows] for name, poses in demo.objects.items()},
        signals={name: values[kept] for name, values in demo.signals.items()},
    )


def kept_steps(demo: SourceDemo, control_hz: float) -> NDArray[np.bool_]:
    """Which steps are no waste of time. Shape (T,)."""
    margin, settling = round(_KEPT_S * control_hz), round(_SETTLING_S * control_hz)
    needed = ~_resting(demo, control_hz)
    for step in _events(demo):
        needed[max(0, step - 1) : step + settling] = True
    needed[[0, -1]] = True
    steps = np.arange(demo.length)
    at = np.flatnonzero(needed)
    after = steps - at[np.searchsorted(at, steps, side="right") - 1]
    before = at[np.searchsorted(at, steps)] - steps
    return np.minimum(after, before) <= margin


def _resting(demo: SourceDemo, control_hz: float) -> NDArray[np.bool_]:
    """Steps in which no hand and no object moves. Shape (T,)."""
    resting = np.ones(demo.length, dtype=bool)
    for poses in demo.eef.values():
        motion = inverse(poses[:-1]) @ poses[1:]
        slow = (position(motion).norm(dim=-1) * control_hz < _SPEED_M_S).numpy()
        resting[:-1] &= slow & (rotation_angle(rotation(motion)) * control_hz < _TURN_RAD_S).numpy()
    for poses in demo.objects.values():
        moved = (position(poses[1:]) - position(poses[:-1])).norm(dim=-1)
        resting[:-1] &= (moved * control_hz < _OBJECT_M_S).numpy()
    return resting


def _events(demo: SourceDemo) -> list[int]:
    """Steps at which a gripper command or a subtask signal differs from that before."""
    steps = [step for commands in demo.gripper.values() for step in gripper_changes(commands)]
    for values in demo.signals.values():
        steps += [int(step) + 1 for step in np.flatnonzero(values[1:] != values[:-1])]
    return steps
