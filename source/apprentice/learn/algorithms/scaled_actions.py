"""Robomimic's algorithms with the actions scaled to what their tanh outputs can reach: `bc_scaled_actions`, ...

The range is part of the weights, so a checkpoint cannot be played without it. Importing this module registers them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch
from robomimic.algo import PolicyAlgo, algo_name_to_factory_func, register_algo_factory_func
from robomimic.config import config_factory
from torch import Tensor, nn

from apprentice.learn.algorithms.anatomy import SCALABLE, scaled_name

_MARGIN = 0.95
"""Where the extremes of the demos come to lie between -1 and 1: tanh reaches 1 only with infinite weights."""


class ActionRange(nn.Module):
    """An affine map per action column between the range of the demos and what tanh reaches."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.centre: Tensor
        self.half_width: Tensor
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("half_width", torch.ones(size))

    def fit(self, actions: Tensor) -> None:
        """Take the range from all actions. Shape (T, A)."""
        low, high = actions.min(0).values, actions.max(0).values
        self.centre.copy_((low + high) / 2)
        width = (high - low) / 2 / _MARGIN
        self.half_width.copy_(torch.where(width > 1e-6, width, 1.0))

    def scale(self, actions: Tensor) -> Tensor:
        """Actions as the network sees them. Shape (..., A)."""
        return (actions - self.centre) / self.half_width

    def unscale(self, actions: Tensor) -> Tensor:
        """Actions as the environment takes them. Shape (..., A)."""
        return actions * self.half_width + self.centre


@functools.cache
def _scaled(base: Any) -> type[PolicyAlgo]:
    class ScaledActions(base):
        def _create_networks(self) -> None:
            super()._create_networks()
            self.nets["action_range"] = ActionRange(self.ac_dim).to(self.device)

        def process_batch_for_training(self, batch: dict[str, Any]) -> dict[str, Any]:
            processed = super().process_batch_for_training(batch)
            return {**processed, "actions": self.nets["action_range"].scale(processed["actions"])}

        def get_action(self, obs_dict: Mapping[str, Tensor], goal_dict: Mapping[str, Tensor] | None = None) -> Tensor:
            return self.nets["action_range"].unscale(super().get_action(obs_dict, goal_dict=goal_dict))

    ScaledActions.__name__ = ScaledActions.__qualname__ = f"Scaled{base.__name__}"
    return ScaledActions


def _register(name: str) -> None:
    """Robomimic's config under the new name, and the class it would use for the old one with scaled actions."""
    config: Any = type(config_factory(name))
    type(config)(f"Scaled{config.__name__}", (config,), {"ALGO_NAME": scaled_name(name)})  # registers itself

    def algo_config_to_class(algo_config: Any) -> tuple[type[PolicyAlgo], dict[str, Any]]:
        base, kwargs = algo_name_to_factory_func(name)(algo_config)
        return _scaled(base), kwargs

    register_algo_factory_func(scaled_name(name))(algo_config_to_class)


for _name in SCALABLE:
    _register(_name)
