"""Trains a policy with rollouts on the way: what joins `learn`, `evaluate` and the tasks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from apprentice.errors import UserError
from apprentice.evaluate.cfg import EvaluateCfg
from apprentice.learn.cfg import TrainCfg, TrainResult
from apprentice.learn.files import POLICY
from apprentice.progress import Progress, silent

if TYPE_CHECKING:
    from apprentice.learn.play.policy import BatchedPolicy
    from apprentice.tasks.session import Session

TRAINING_SEED = 2_000_000
"""First seed of rollouts during training: none of those of recording, augmentation or `apprentice evaluate`."""


@dataclass(kw_only=True, frozen=True)
class TrainingCfg(TrainCfg):
    """A training, and where its rollouts take place."""

    rollouts: int = 50
    """Rollouts to play every `evaluate_every` steps."""
    task: str | None = None
    """Task that they play; by default the one that the demos are of."""
    variant: str | None = None
    """Difficulty variant, for tasks that have them."""
    backend: str = "native"
    """Physics backend of the rollouts."""
    num_envs: int = 50
    """Environments stepped together."""
    threads: int = 2
    """Processor threads, of training too where there are rollouts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rollouts", "num_envs", "threads"):
            if getattr(self, name) < 1:
                raise UserError(f"Expected --{name.replace('_', '-')} of at least 1, got {getattr(self, name)}.")


def train_policy(
    file: Path, output: Path, cfg: TrainingCfg, progress: Progress = silent, playing: Progress = silent
) -> TrainResult:
    """Train, and play the policy so far every `cfg.evaluate_every` steps in one simulator.

    Args:
        file: The demo file.
        output: Folder for the results.
        cfg: How to train and to play.
        progress: Told of training steps.
        playing: Told of rollouts.

    Raises:
        UserError: As `apprentice.learn.training.train.train` does, or if the task can't be opened.
    """
    import torch

    from apprentice.learn.training.train import train

    if not cfg.evaluate_every or (output / POLICY).exists():
        return train(file, output, cfg, progress)
    with open_task(file, cfg) as session, torch.inference_mode(False):  # an open simulator forbids gradients
        return train(file, output, cfg, progress, lambda policy, _: play(policy, session, cfg.rollouts, playing))


def play(policy: BatchedPolicy, session: Session, rollouts: int, playing: Progress = silent) -> Mapping[str, float]:
    """Success of a policy on the seeds of training, with its 95 % interval, as a line of the log has it."""
    import torch

    from apprentice.evaluate.rollouts import successes
    from apprentice.evaluate.statistics import success_interval
    from apprentice.pipeline.evaluation import observed

    cfg = EvaluateCfg(rollouts=rollouts, seed=TRAINING_SEED, videos=0)
    with torch.inference_mode(), observed(session, policy) as simulation:
        succeeded = sum(successes(policy, simulation, cfg, playing))
    low, high = success_interval(succeeded, rollouts)
    return {"success": succeeded / rollouts, "success_low": low, "success_high": high, "rollouts": rollouts}


def open_task(file: Path, cfg: TrainingCfg) -> contextlib.AbstractContextManager[Session]:
    """The simulator that rollouts of a training take place in.

    Raises:
        UserError: If the task is not known or can't be opened.
    """
    from apprentice.demos import DemoFile
    from apprentice.tasks.registry import resolve_task
    from apprentice.tasks.session import open_session

    with DemoFile(file) as demos:
        task = cfg.task or demos.task
    if task is None:
        raise UserError(f"Expected {file} to say which task its demos are of, found nothing: give --task.")
    num_envs = min(cfg.num_envs, cfg.rollouts)
    return open_session(
        resolve_task(task), backend=cfg.backend, num_envs=num_envs, variant=cfg.variant, threads=cfg.threads
    )
