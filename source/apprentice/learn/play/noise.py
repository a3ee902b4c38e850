"""Random numbers of policies that draw their actions: each environment has its own, whoever else is in the batch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from apprentice.errors import UserError


class Noise:
    """What N environments draw from."""

    def __init__(self, generators: Sequence[torch.Generator], size: int, device: torch.device) -> None:
        self._generators = list(generators)
        self._size = size
        self._device = device

    def __call__(self) -> Tensor:
        """For each environment a uniform number in [0, 1), then `size` normal ones. Shape (N, 1 + size)."""
        rows = [
            torch.cat((torch.rand(1, generator=own), torch.randn(self._size, generator=own)))
            for own in self._generators
        ]
        return torch.stack(rows).to(self._device)

    def of(self, rows: Tensor) -> Noise:
        """The noise of some of the environments."""
        return Noise([self._generators[row] for row in rows.tolist()], self._size, self._device)

    def drawing(self) -> contextlib.AbstractContextManager[Any]:
        """While entered, what torch draws for a batch comes from the environments that its rows belong to.

        A batch is the environments in order, each repeated equally often in a row, as Robomimic does to try several
        samples for each.
        """
        return _Draws(self._generators)


class GivenNoise(Noise):
    """Noise that was drawn before: an input of an exported policy."""

    def __init__(self, drawn: Tensor) -> None:
        """Noise as `Noise()` returns it. Shape (N, 1 + size)."""
        super().__init__([], drawn.shape[1] - 1, drawn.device)
        self._drawn = drawn

    def __call__(self) -> Tensor:
        return self._drawn

    def drawing(self) -> contextlib.AbstractContextManager[Any]:
        raise UserError(
            "Expected a policy that can be exported (chunked_bc, act, flow, diffusion, td3_bc, or bc with or without an"
            " RNN, a transformer or a mixture), found one that draws random numbers inside Robomimic; play its"
            " checkpoint instead."
        )


class _Draws(TorchFunctionMode):
    """Replaces the functions with which Robomimic and torch.distributions draw."""

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self._generators = generators
        self._replaced: dict[Any, Callable[..., Tensor]] = {
            torch.randn: self._randn,
            torch.normal: self._normal,
            torch.Tensor.normal_: self._normal_,
            torch.multinomial: self._multinomial,
        }

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        draw: Callable[..., Any] = self._replaced.get(func) or func
        return draw(*args, **(kwargs or {}))

    def _randn(self, *shape: int) -> Tensor:
        repeats = self._repeats(shape[0])
        return torch.cat([torch.randn(repeats, *shape[1:], generator=own) for own in self._generators])

    def _normal(self, mean: Tensor, std: Tensor) -> Tensor:
        shape = torch.broadcast_shapes(mean.shape, std.shape)
        return mean + std * self._randn(*shape).to(mean.device)

    def _normal_(self, tensor: Tensor) -> Tensor:
        return tensor.copy_(self._randn(*tensor.shape))

    def _multinomial(self, probabilities: Tensor, num_samples: int, replacement: bool = False) -> Tensor:
        blocks = probabilities.cpu().split(self._repeats(len(probabilities)))
        drawn = [
            torch.multinomial(block, num_samples, replacement, generator=own)
            for block, own in zip(blocks, self._generators, strict=True)
        ]
        return torch.cat(drawn).to(probabilities.device)

    def _repeats(self, rows: int) -> int:
        count = len(self._generators)
        if rows % count:
            raise ValueError(f"Expected equally many rows for each of {count} environments, got {rows} in all.")
        return rows // count
