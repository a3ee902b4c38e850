"""Curves of a training run for TensorBoard and Weights & Biases, drawn from the lines of its log."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from apprentice.errors import UserError
from apprentice.learn.files import TENSORBOARD


class Curves(Protocol):
    """Takes in the lines of a log as they are written."""

    def add(self, record: Mapping[str, Any]) -> None:
        """Draw one line: its numbers over its "step"."""
        ...

    def close(self) -> None:
        """Write what is not written yet."""
        ...


class TensorBoard:
    """Event files in `tensorboard/`, made anew from the log at the beginning of each sitting."""

    def __init__(self, output: Path, records: Sequence[Mapping[str, Any]]) -> None:
        from tensorboardX import SummaryWriter

        folder = output / TENSORBOARD
        shutil.rmtree(folder, ignore_errors=True)  # it may hold steps that are done again
        self._writer = SummaryWriter(logdir=str(folder), flush_secs=10)
        for record in records:
            self.add(record)

    def add(self, record: Mapping[str, Any]) -> None:
        for name, value in _numbers(record).items():
            self._writer.add_scalar(name, value, record["step"])

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run at Weights & Biases. Where and whether it is sent, its own environment variables say (`WANDB_MODE`)."""

    def __init__(self, output: Path, project: str, about: Mapping[str, Any]) -> None:
        """Begin the run, or go on with it.

        Raises:
            UserError: If the package is missing or the run cannot begin.
        """
        try:
            import wandb
        except ImportError as error:
            raise UserError(
                f"Expected the package wandb for --wandb, but {error}; run `pip install isaaclab-apprentice[wandb]`."
            ) from error
        name = hashlib.blake2b(f"{os.uname().nodename}{output.resolve()}".encode(), digest_size=8).hexdigest()
        try:
            self._run: Any = wandb.init(
                project=project,
                name=output.name,
                id=name,
                resume="allow",
                dir=str(output),
                config=dict(about),
                settings=wandb.Settings(silent=True),
            )
        except (wandb.Error, OSError) as error:
            raise UserError(
                f"Expected to begin a run at Weights & Biases, but {error}; log in, or set WANDB_MODE=offline."
            ) from error
        # steps that a kill undid are done again: they overwrite by their own number, not by order of arrival
        self._run.define_metric("*", step_metric="step")

    def add(self, record: Mapping[str, Any]) -> None:
        self._run.log({"step": record["step"], **_numbers(record)})

    def close(self) -> None:
        self._run.finish()


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in record.items() if name != "step" and isinstance(value, int | float)}
