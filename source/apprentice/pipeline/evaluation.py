"""Evaluates a checkpoint in the simulator: what joins `learn`, `evaluate` and the tasks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apprentice.errors import UserError
from apprentice.evaluate.cfg import EvaluateCfg
from apprentice.progress import Progress, silent

if TYPE_CHECKING:
    from apprentice.evaluate.contracts import Simulation
    from apprentice.evaluate.results import Evaluation
    from apprentice.learn.play.policy import BatchedPolicy
    from apprentice.sim.looks_cfg import LooksCfg
    from apprentice.tasks.session import Session

VIDEO_EVERY = 4
"""Control steps from one frame of a video to the next."""


@dataclass(kw_only=True, frozen=True)
class EvaluationCfg(EvaluateCfg):
    """An evaluation, and where it takes place."""

    task: str | None = None
    """Task to play; by default the one that the policy's demos are of."""
    variant: str | None = None
    """Difficulty variant, for tasks that have them."""
    states: Path | None = None
    """File of start states, such as the mishaps.hdf5 of a suite: rollout i starts from state i, and at most as many are
    played as there are."""
    backend: str = "native"
    """Physics backend."""
    num_envs: int = 100
    """Environments stepped together."""
    threads: int = 2
    """Processor threads."""


def evaluate_checkpoint(
    checkpoint: Path, output: Path, cfg: EvaluationCfg, progress: Progress = silent, drawing: Progress = silent
) -> Evaluation:
    """Play a policy, write what happened, and draw some rollouts as videos.

    Args:
        checkpoint: Folder that `apprentice train` wrote, or a Robomimic checkpoint.
        output: Folder for the results.
        cfg: The evaluation.
        progress: Told of finished rollouts.
        drawing: Told of drawn frames.

    Raises:
        UserError: If the policy, the task or the start states can't be opened, or `output` holds another evaluation.
    """
    from apprentice.demos.start_states import read_start_states
    from apprentice.evaluate.results import read_finished
    from apprentice.evaluate.rollouts import evaluate, identify

    task = task_of(checkpoint, cfg.task)
    starts = None
    if cfg.states is not None:
        starts = read_start_states(cfg.states)
        cfg = replace(cfg, rollouts=min(cfg.rollouts, len(starts)), variant=cfg.variant or starts.variant)
    identity = identify(cfg, checkpoint=checkpoint, task=task, variant=cfg.variant, backend=cfg.backend, starts=starts)
    finished = read_finished(output, identity)
    if finished is not None and all_drawn(output):
        return finished
    from apprentice.learn.play.policy import load_policy
    from apprentice.learn.training.identity import identity_of
    from apprentice.tasks.session import open_session

    policy = load_policy(checkpoint)
    with open_session(
        task, backend=cfg.backend, num_envs=cfg.num_envs, variant=cfg.variant, threads=cfg.threads
    ) as session:
        with observed(session, policy) as simulation:
            result = evaluate(
                policy,
                simulation,
                cfg,
                checkpoint=checkpoint,
                output=output,
                starts=starts,
                training=identity_of(checkpoint, policy.about),
                progress=progress,
            )
        draw_videos(session, [output], drawing)
    return result


@contextlib.contextmanager
def observed(session: Session, policy: BatchedPolicy, looks: LooksCfg | None = None) -> Iterator[Simulation]:
    """The session with the images that a policy looks at; the session itself for policies without cameras.

    Args:
        session: An open session.
        policy: Its checkpoint says where the cameras of its demos stood and how large their images were.
        looks: What looks different in every rollout.

    Raises:
        UserError: If the task lacks a camera, or images can't be drawn on this machine.
    """
    from apprentice.demos.schema import DEPTH, IMAGE
    from apprentice.evaluate.cameras import WithCameras
    from apprentice.sim.views import CameraView
    from apprentice.tasks.views import choose_views

    if not policy.cameras:
        yield session
        return
    size = policy.obs_shapes[policy.cameras[0]][0][0]
    names = tuple(dict.fromkeys(key.removesuffix(IMAGE).removesuffix(DEPTH) for key in policy.cameras))
    depth = any(key.endswith(DEPTH) for key in policy.cameras)
    drawn: dict[str, Any] = policy.about.get("images") or {}
    trained = {view["name"]: CameraView(**view) for view in drawn.get("cameras", ())}
    views = [trained[name] for name in names] if trained.keys() >= set(names) else choose_views(session, names)
    simulation = WithCameras(session, session.env, views, size=size, looking=policy.looking, looks=looks, depth=depth)
    with contextlib.closing(simulation):
        yield simulation


def draw_videos(session: Session, outputs: Sequence[Path], progress: Progress = silent) -> None:
    """Draw the rollouts whose states were kept by evaluations in `session`."""
    from apprentice.evaluate.videos import render_videos
    from apprentice.sim.render import StateRenderer
    from apprentice.sim.views import FRONT

    outputs = [output for output in outputs if not all_drawn(output)]
    if not outputs:
        return
    with contextlib.closing(StateRenderer(session)) as renderer:
        for output in outputs:
            render_videos(
                output,
                lambda state: renderer.render(state)[FRONT.name],
                control_hz=session.control_hz,
                every=VIDEO_EVERY,
                progress=progress,
            )


def all_drawn(output: Path) -> bool:
    """Whether every rollout of an evaluation whose states were kept is a video."""
    from apprentice.evaluate.trajectories import saved_trajectories

    kept = saved_trajectories(output / "trajectories")
    return all((output / "videos" / f"{path.stem}.mp4").exists() for path in kept)


def task_of(checkpoint: Path, given: str | None) -> str:
    """The registered id of the task to play: the one that is given, or that the checkpoint's demos are of.

    Raises:
        UserError: If there is no such task, or the checkpoint does not say which one.
    """
    from apprentice.tasks.registry import resolve_task

    if given is None:
        config = (checkpoint if checkpoint.is_dir() else checkpoint.parent) / "config.json"
        if config.exists():
            given = json.loads(config.read_text()).get("task")
    if given is None:
        raise UserError(f"Expected {checkpoint} to say which task its policy is for, found nothing: give --task.")
    return resolve_task(given)
