"""One process of a sweep: trains trial after trial, and plays them in one simulator."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apprentice.errors import UserError
from apprentice.pipeline.training import TrainingCfg, open_task, play

if TYPE_CHECKING:
    from apprentice.tasks.session import Session


@dataclass(kw_only=True, frozen=True)
class Trial:
    number: int
    folder: Path
    """Where it trains; what an interrupted sitting left there is gone on with."""
    cfg: TrainingCfg


@dataclass(kw_only=True, frozen=True)
class Outcome:
    number: int
    seconds: float = 0.0
    """Wall time of its training."""
    valid_loss: float | None = None
    success: float | None = None
    """Of its rollouts, if success is what counts."""
    interval_95: tuple[float, float] | None = None
    error: str | None = None
    """Why there is no result: its settings can't be trained with."""


class Trials:
    """Does trials, as `apprentice.workers.Worker`."""

    slots = 1
    facts = None

    def __init__(self, file: Path, session: Session | None) -> None:
        self._file, self._session = file, session

    def run(self, next_job: Callable[[], Trial | None]) -> Iterator[Outcome]:
        while (trial := next_job()) is not None:
            try:
                yield self._try(trial)
            except UserError as error:
                yield Outcome(number=trial.number, error=str(error))

    def _try(self, trial: Trial) -> Outcome:
        import torch

        from apprentice.learn.play.policy import load_policy
        from apprentice.learn.training.train import train

        with torch.inference_mode(False):  # an open simulator forbids gradients
            result = train(self._file, trial.folder, trial.cfg)
        outcome: dict[str, Any] = {"seconds": result.seconds, "valid_loss": result.valid_loss}
        if self._session is not None:
            scores = play(load_policy(result.policy), self._session, trial.cfg.rollouts)
            outcome |= {"success": scores["success"], "interval_95": (scores["success_low"], scores["success_high"])}
        return Outcome(number=trial.number, **outcome)


@dataclass(kw_only=True, frozen=True)
class OpenTrials:
    """Opens the simulator, of which there is one per process, where there are rollouts to play."""

    file: Path
    cfg: TrainingCfg
    plays: bool

    @contextlib.contextmanager
    def __call__(self) -> Iterator[Trials]:
        import torch

        torch.set_num_threads(1)
        if not self.plays:
            yield Trials(self.file, None)
        else:
            with open_task(self.file, self.cfg) as session:
                yield Trials(self.file, session)
