"""Plays demos back open-loop, says how far that leads from the recording, and certifies what came out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apprentice.demos import Certificate, DemoFile, Tree, set_demo_attrs
from apprentice.errors import UserError
from apprentice.progress import Progress, silent
from apprentice.record.cfg import ReplayCfg
from apprentice.record.playback import Playback, Played, batch_size, load, require_playable, task_for
from apprentice.tasks.episode import rows_after_step
from apprentice.tasks.session import Session, open_session


@dataclass(kw_only=True, frozen=True)
class DemoReplay:
    """How the replay of one demo compares with its recording."""

    name: str
    """Name of the demo."""
    steps: int
    """Control steps."""
    success: bool
    """Whether the replay succeeded, held."""
    bit_exact: bool | None
    """Whether every state came out with the very same bits; None if no states were recorded."""
    position_error_m: float | None
    """Largest distance of an object from where it ended in the recording (m)."""
    rotation_error_rad: float | None
    """Largest angle of an object from how it ended in the recording (rad)."""
    joint_error_rad: float | None
    """Largest difference of a joint from where it ended in the recording (rad, or m for prismatic joints)."""
    diverged_at: int | None
    """First step after which an object was farther away than the tolerance; None if none was."""
    differs_at: int | None
    """First step after which any bit of the state differs; None if none does."""


@dataclass(kw_only=True, frozen=True)
class ReplayReport:
    file: str
    """The demo file."""
    task: str
    """Task id."""
    backend: str
    """What stepped the physics."""
    demos: list[DemoReplay]
    """In the file's order."""
    certified: int
    """Demos that a certificate was written for."""

    def summary(self) -> str:
        """What came out, in one or two sentences."""
        count = len(self.demos)
        text = f"{sum(demo.success for demo in self.demos)} of {count} demos succeed again on {self.backend}"
        if any(demo.bit_exact is not None for demo in self.demos):
            text += f", {sum(demo.bit_exact is True for demo in self.demos)} with the very same bits"
        errors = [demo.position_error_m for demo in self.demos if demo.position_error_m is not None]
        if errors:
            text += f"; objects end {1000 * float(np.median(errors)):.3g} mm from the recording (median), "
            text += f"{1000 * max(errors):.3g} mm at most"
        return text + "."


def replay(path: Path, cfg: ReplayCfg, progress: Progress = silent) -> ReplayReport:
    """Play every demo of a file back, its actions only, from its initial state.

    Args:
        path: The demo file. If Apprentice recorded it, certificates are written into it.
        cfg: How to replay.
        progress: Told of replayed demos.

    Raises:
        UserError: If the file or its task cannot be played back, or certificates not be written.
    """
    with DemoFile(path) as file:
        task = task_for(file, cfg.task)
        if _is_ours(file) and cfg.certify and not os.access(path, os.W_OK):
            raise UserError(f"{path}: expected to write certificates, found it read-only; use --no-certify.")
        num_envs, variant = batch_size(file, cfg.num_envs), cfg.variant or file.meta.get("variant")
    with open_session(task, backend=cfg.backend, num_envs=num_envs, variant=variant, threads=cfg.threads) as session:
        return replay_in(session, path, cfg, progress)


def replay_in(session: Session, path: Path, cfg: ReplayCfg, progress: Progress = silent) -> ReplayReport:
    """Replay in a session that is open: see `replay`."""
    results: dict[str, DemoReplay] = {}
    with DemoFile(path) as file:
        require_playable(file, session, ["initial_state"])
        ours, names = _is_ours(file), file.names
        with_states = all(any(key.startswith("states/") for key in file.keys(name)) for name in names)
        keys = ["initial_state", "states"] if with_states else ["initial_state"]
        playback = Playback(session, after=lambda open_session, _: rows_after_step(open_session), hold=cfg.held_steps)
        for played in playback.actions(load(file, keys)):
            results[played.demo.name] = _compare(played, cfg)
            progress.update(len(results), len(names))
    certified = ours and cfg.certify
    if certified:
        set_demo_attrs(path, {name: _certificate(result, session).attrs() for name, result in results.items()})
    return ReplayReport(
        file=str(path),
        task=session.task,
        backend=session.backend,
        demos=[results[name] for name in names],
        certified=len(results) if certified else 0,
    )


def _is_ours(file: DemoFile) -> bool:
    return "task" in file.meta


def _certificate(result: DemoReplay, session: Session) -> Certificate:
    return Certificate(
        backend=session.backend,
        bit_exact=bool(result.bit_exact),
        final_state_error=result.position_error_m or 0.0,
        success=result.success,
    )


def _compare(played: Played, cfg: ReplayCfg) -> DemoReplay:
    demo = played.demo
    recorded = {key: value for key, value in demo.data.items() if key.startswith("states/") and key in played.tree}
    result = played.tree
    poses = [key for key in recorded if key.startswith("states/rigid_object/") and key.endswith("/root_pose")]
    joints = [key for key in recorded if key.endswith("/joint_position")]
    away = np.stack([_distance(recorded[key], result[key]) for key in poses]).max(0) if poses else None
    differs = _first(~_same_bits(recorded, result)) if recorded else None
    return DemoReplay(
        name=demo.name,
        steps=demo.length,
        success=played.held_steps >= cfg.held_steps,
        bit_exact=differs is None if recorded else None,
        position_error_m=None if away is None else float(away[-1]),
        rotation_error_rad=max((_angle(recorded[key][-1], result[key][-1]) for key in poses), default=None),
        joint_error_rad=max((float(np.abs(recorded[key][-1] - result[key][-1]).max()) for key in joints), default=None),
        diverged_at=None if away is None else _first(away > cfg.tolerance_m),
        differs_at=differs,
    )


def _same_bits(recorded: Tree, result: Tree) -> NDArray[np.bool_]:
    """At which steps all states are the same, bit for bit. Shape (T,)."""
    return np.stack(
        [(value.view(np.uint32) == result[key].view(np.uint32)).all(axis=1) for key, value in recorded.items()]
    ).all(0)


def _first(steps: NDArray[np.bool_]) -> int | None:
    return int(steps.argmax()) if bool(steps.any()) else None


def _distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.linalg.norm(a[:, :3].astype(np.float64) - b[:, :3], axis=1)


def _angle(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Angle between the orientations of two poses (position, quaternion)."""
    p, q = a[3:7].astype(np.float64), b[3:7].astype(np.float64)
    # by the chord: the arc cosine of the product loses small angles to rounding
    chord = min(np.linalg.norm(p - q), np.linalg.norm(p + q))
    return float(4 * np.arcsin(min(1.0, chord / 2)))
