"""What the tests of table-top tasks do with an open session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from recorded import generate, record

from apprentice.augment.cfg import AugmentCfg
from apprentice.record.cfg import RecordCfg, ReplayCfg
from apprentice.record.loop import EpisodeLoop
from apprentice.record.operators import scripted_operators
from apprentice.record.replay import replay_in

OPEN_M = 0.04
"""Position of an open finger."""


def draw_from(session: Any, variant: str) -> None:
    """Let resets draw from a variant."""
    ranges = session.env.cfg.variant_ranges[variant]
    session.env.event_manager.get_term_cfg("reset_objects").params["pose_ranges"] = ranges


def operate(session: Any, variant: str, seeds: Sequence[int]) -> list[Any]:
    """Episodes of the scripted operator."""
    draw_from(session, variant)
    numbers, cfg = iter(seeds), RecordCfg(device=("scripted",), demos=len(seeds))
    return list(EpisodeLoop(session, scripted_operators(session), cfg).run(lambda: next(numbers, None)))


def multiply(session: Any, folder: Path, demos: int, source_demos: int = 4) -> float:
    """Record demos of d0, see them replay bit for bit, make more of them, and return the data generation rate."""
    draw_from(session, "d0")
    source = record(session, folder / "source.hdf5", source_demos)
    assert all(demo.bit_exact for demo in replay_in(session, source, ReplayCfg(certify=False)).demos)
    cfg = AugmentCfg(demos=demos, seed=50, task=session.task, threads=1)
    return sum(one.outcome.success for one in generate(session, source, cfg, demos)) / demos


def put(
    session: Any,
    places: Mapping[str, tuple[tuple[float, float, float], float]],
    *,
    onto: str | None = None,
    fingers_m: float = OPEN_M,
) -> None:
    """Put objects somewhere, at rest, in every environment, which is reset first.

    Args:
        session: The task.
        places: Per object where (m) and how it is turned about the vertical axis (rad).
        onto: Object in whose frame places are; by default the environment's. It stands upright.
        fingers_m: Finger positions.
    """
    session.reset(seeds=range(session.num_envs))
    state = session.state()
    written = {key: torch.zeros_like(value) for key, value in state.items() if key.endswith("velocity")}
    base = torch.zeros(session.num_envs, 7) if onto is None else state[f"rigid_object/{onto}/root_pose"]
    turn = 2 * torch.atan2(base[:, 5], base[:, 6]) if onto else torch.zeros(session.num_envs)
    for name, ((x, y, z), yaw) in places.items():
        pose = torch.zeros_like(state[f"rigid_object/{name}/root_pose"])
        pose[:, 0] = base[:, 0] + turn.cos() * x - turn.sin() * y
        pose[:, 1] = base[:, 1] + turn.sin() * x + turn.cos() * y
        pose[:, 2] = base[:, 2] + z
        half = (turn + yaw) / 2
        pose[:, 5], pose[:, 6] = half.sin(), half.cos()
        written[f"rigid_object/{name}/root_pose"] = pose
    joints = state["articulation/robot/joint_position"].clone()
    joints[:, -2:] = fingers_m
    session.set_state(state | written | {"articulation/robot/joint_position": joints}, range(session.num_envs))


def wait(session: Any, steps: int) -> None:
    """Let time pass, the gripper open."""
    for _ in range(steps):
        session.step(session.neutral_actions())
