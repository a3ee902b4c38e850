"""Apprentice-Thread-TwoFrankas: the left arm holds up a ring, the right arm puts a needle through it."""

from __future__ import annotations

from typing import Any

from isaaclab.managers import ObservationGroupCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.tasks.hands_cfg import Ranges, observed
from apprentice.tasks.hands_env import object_state
from apprentice.tasks.mimic import in_order, subtask
from apprentice.tasks.tabletop.bodies import Part, firm, free
from apprentice.tasks.two_arms.config.franka import THREAD_TASK_ID
from apprentice.tasks.two_arms.env_cfg import ACROSS_RAD, STILL, TwoArmsPolicyCfg, TwoArmsSceneCfg, TwoArmsTaskCfg
from apprentice.tasks.two_arms.mdp import conditions, needle
from apprentice.tasks.two_arms.mdp.sizes import (
    FOOT_M,
    GRIP_M,
    HANDLE_M,
    HELD_UP_M,
    HOLE_AT_M,
    HOLE_M,
    NEEDLE,
    RING,
    RING_DEPTH_M,
    RING_STANDS_M,
    RING_WALL_M,
    SHAFT_M,
)

BLUE, ORANGE, STEEL, RED = (0.2, 0.35, 0.7), (0.9, 0.5, 0.1), (0.75, 0.75, 0.8), (0.75, 0.2, 0.2)


def _ranges(
    x: tuple[float, float], ring_y: tuple[float, float], needle_y: tuple[float, float], yaw: float
) -> dict[str, Ranges]:
    turn = (ACROSS_RAD - yaw, ACROSS_RAD + yaw)
    return {RING: {"x": x, "y": ring_y, "yaw": turn}, NEEDLE: {"x": x, "y": needle_y, "yaw": turn}}


VARIANTS: dict[str, dict[str, Ranges]] = {
    "d0": _ranges((0.45, 0.55), (0.2, 0.28), (-0.12, -0.06), 0.15),
    "d1": _ranges((0.43, 0.57), (0.18, 0.3), (-0.14, -0.04), 0.3),
    "d2": _ranges((0.41, 0.59), (0.16, 0.32), (-0.16, -0.03), 0.45),
}
"""The needle's place is that of its tip."""


def _ring_parts() -> tuple[Part, ...]:
    """A square ring, upright, on a foot and with a handle, around the middle of the handle."""
    width, height = HOLE_M
    outer, wall = width + 2 * RING_WALL_M, RING_WALL_M
    beside = [
        Part(at_m=(0.0, y, HOLE_AT_M), size_m=(RING_DEPTH_M, wall, height), colour=BLUE)
        for y in (-(width + wall) / 2, (width + wall) / 2)
    ]
    above = [
        Part(at_m=(0.0, 0.0, HOLE_AT_M + z), size_m=(RING_DEPTH_M, outer, wall), colour=BLUE)
        for z in (-(height + wall) / 2, (height + wall) / 2)
    ]
    foot = Part(at_m=(0.0, 0.0, FOOT_M[2] / 2 - RING_STANDS_M), size_m=FOOT_M, colour=BLUE)
    return (Part(size_m=HANDLE_M, colour=ORANGE), *beside, *above, foot)


@configclass
class ThreadSceneCfg(TwoArmsSceneCfg):
    """Two arms, a ring and a needle."""

    ring = free(RING, _ring_parts(), mass_kg=0.1, at_m=(0.5, 0.24, RING_STANDS_M))
    needle = firm(
        free(
            NEEDLE,
            (
                Part(at_m=(-SHAFT_M[0] / 2, 0.0, 0.0), size_m=SHAFT_M, colour=STEEL),
                Part(at_m=(-SHAFT_M[0] - GRIP_M[0] / 2, 0.0, 0.0), size_m=GRIP_M, colour=RED),
            ),
            mass_kg=0.03,
            at_m=(0.5, -0.1, GRIP_M[2] / 2),
        )
    )


@configclass
class ThreadPolicyCfg(TwoArmsPolicyCfg):
    """What a policy sees."""

    ring = observed(object_state, name=RING)
    needle = observed(object_state, name=NEEDLE)


@configclass
class ThreadSubtaskTermsCfg(ObservationGroupCfg):
    """Whether each subtask is done."""

    ring_lifted = observed(conditions.lifted, **needle.ON_RING, above_m=RING_STANDS_M + 0.03)
    ring_up = observed(
        conditions.presented,
        **needle.ON_RING,
        y_m=(HELD_UP_M[1] - 0.04, HELD_UP_M[1] + 0.04),
        above_m=HELD_UP_M[2] - 0.04,
    )
    needle_lifted = observed(conditions.lifted, **needle.ON_NEEDLE, above_m=GRIP_M[2] / 2 + 0.05)
    aimed = observed(needle.aimed)

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class ThreadObservationsCfg:
    """Groups of observations."""

    policy = ThreadPolicyCfg()
    subtask_terms = ThreadSubtaskTermsCfg()


@configclass
class ThreadTerminationsCfg:
    """When the task is done."""

    success = TerminationTermCfg(func=needle.threaded)


@configclass
class ThreadEnvCfg(TwoArmsTaskCfg):
    """Hold up a ring, and put a needle through it."""

    scene: Any = ThreadSceneCfg(num_envs=1, env_spacing=2.5)
    observations: Any = ThreadObservationsCfg()
    terminations: Any = ThreadTerminationsCfg()

    def __post_init__(self):
        super().__post_init__()
        self.variant_ranges = VARIANTS
        self.subtask_configs = {
            "left": [
                subtask(RING, "ring_lifted", "Take the ring by its handle", noise=0.01, offsets=(3, 8)),
                subtask(None, "ring_up", "Hold it up", noise=0.01, offsets=STILL),
                subtask(RING, None, "Hold it for the needle", noise=0.001),
            ],
            "right": [
                subtask(NEEDLE, "needle_lifted", "Take the needle", noise=0.01, offsets=(3, 8)),
                subtask(None, "ring_up", "Wait for the ring", noise=0.002, offsets=STILL),
                subtask(RING, "aimed", "Aim it at the hole", noise=0.003, offsets=(2, 5)),
                subtask(RING, None, "Put it through", noise=0.001),
            ],
        }
        # who waits has a subtask for that: what it does about the ring begins when that is held still
        self.task_constraint_configs = [in_order(("left", 1), ("right", 1), steps_left=1)]
        self.settle(THREAD_TASK_ID)
