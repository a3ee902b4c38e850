"""Several processes that train as one, each with its share of every batch: `torchrun` starts them, one for each GPU.

Gradients are averaged as they come, parameter by parameter, whatever algorithm they belong to: what Robomimic's
algorithms do with their networks stays theirs. So N processes take the steps that one would take with the same batch.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.nn import Parameter

from apprentice.errors import UserError
from apprentice.learn.files import LOG

_PATIENCE = timedelta(hours=1)
"""How long a process waits for the others, which may read a larger share of a slow disk."""


class Ranks:
    """This process among those that train together. Alone it is the first of one, and nothing is exchanged."""

    def __init__(self, device: torch.device) -> None:
        """Find the others that `torchrun` started.

        Args:
            device: Where this process trains.
        """
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0")) if self.count > 1 else 0
        if self.count > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes results."""
        return self.rank == 0

    def folder(self, output: Path) -> Path:
        """Where this process writes: the first to `output`, the others where nobody looks, as if it were there."""
        if self.first:
            return output
        self._scratch = tempfile.TemporaryDirectory(prefix="apprentice-rank-")
        folder = Path(self._scratch.name)
        if (output / LOG).exists():
            shutil.copy(output / LOG, folder / LOG)
        return folder

    def share(self, batch_size: int) -> slice:
        """Which rows of a batch are this process's.

        Raises:
            UserError: If the batch does not divide evenly: then some rows would count for more than others.
        """
        if batch_size % self.count:
            raise UserError(
                f"Expected a batch that {self.count} processes can share evenly, found one of {batch_size} windows;"
                " give a --batch-size that is a multiple of the processes."
            )
        return slice(self.rank, None, self.count)

    def average_gradients(self, parameters: Iterable[Parameter]) -> None:
        """From now on, whenever a gradient is complete, it becomes the mean over all processes."""
        if self.count == 1:
            return

        def average(parameter: Parameter) -> None:
            assert parameter.grad is not None
            distributed.all_reduce(parameter.grad)
            parameter.grad /= self.count

        for parameter in parameters:
            parameter.register_post_accumulate_grad_hook(average)

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """Numbers averaged over all processes."""
        if self.count == 1:
            return dict(values)
        return {name: sum(each[name] for each in self.all(values)) / self.count for name in values}

    def any(self, said: bool) -> bool:
        """Whether any process says so."""
        return said if self.count == 1 else any(self.all(said))

    def all(self, value: Any) -> list[Any]:
        """What each process has, in the order of their ranks."""
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        distributed.all_gather_object(found, value)
        return found
