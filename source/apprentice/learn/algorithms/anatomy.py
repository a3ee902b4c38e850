"""What Robomimic's algorithms are made of, whether they hold their networks themselves or in parts.

A hierarchical algorithm (HBC, IRIS) is a planner and an actor, each of them an algorithm of its own with networks,
optimisers and schedules; all others are one part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

OFFLINE_RL = ("bcq", "cql", "iql", "td3_bc", "iris")
"""Algorithms that learn from rewards."""
PLANS = ("gl", "hbc", "iris")
"""Algorithms that predict what will be observed, as a subgoal."""
LOOKS_AHEAD = tuple({*OFFLINE_RL, *PLANS})
"""Algorithms that learn from what is observed later, too."""
SCALABLE = ("bc", "bcq", "cql", "iql", "td3_bc")
"""Algorithms that there are with scaled actions, too."""
FROM_DEMOS = ("features", "told", "subtasks", "action_space")
"""Parts of the config of our chunk policies that are filled in from the demo file and stored in the checkpoint."""

_SUFFIX = "_scaled_actions"
_PARTS = ("planner", "value_net", "actor")
_COUNTERS = ("_num_batch_steps", "actor_update_counter")
"""Attributes that count training steps and change what later ones do (CQL, TD3-BC)."""
_MINIMISED = ("action_loss", "goal_loss", "actor/loss", "action_sampler/loss")
"""Losses behind what is played, the first that a part reports."""


def scaled_name(algo_name: str) -> str:
    """Name of an algorithm with scaled actions, where there is one; else its own."""
    return algo_name + _SUFFIX if algo_name in SCALABLE else algo_name


def base_name(algo_name: str) -> str:
    """Robomimic's own name of an algorithm, whether its actions are scaled or not."""
    return algo_name.removesuffix(_SUFFIX)


def parts(algo: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The algorithms that hold networks, with their path: "" for the whole, else as "planner/value_net/"."""
    below = [part for part in _PARTS if part in vars(algo)]
    if not below:
        yield name, algo
    for part in below:
        yield from parts(vars(algo)[part], f"{name}{part}/")


def networks(algo: Any) -> nn.ModuleDict:
    """All networks of an algorithm. Where it has no parts this is its own dictionary."""
    found = dict(parts(algo))
    if "" in found:
        return found[""].nets
    return nn.ModuleDict({name.strip("/").replace("/", "_"): part.nets for name, part in found.items()})


def optimisers(algo: Any) -> list[Any]:
    """All optimisers, in a fixed order. Robomimic keeps one, a list, or None per network."""
    return [item for _, part in parts(algo) for item in _flat(part.optimizers)]


def schedules(algo: Any) -> list[Any]:
    """All schedules of learning rates, in a fixed order."""
    return [item for _, part in parts(algo) for item in _flat(part.lr_schedulers)]


def counters(algo: Any) -> dict[str, int]:
    """Step counts that change what later training steps do, by path."""
    return {name + key: getattr(part, key) for name, part in parts(algo) for key in _COUNTERS if hasattr(part, key)}


def set_counters(algo: Any, values: Mapping[str, int]) -> None:
    """Put the step counts back to what `counters` returned."""
    for name, part in parts(algo):
        for key in _COUNTERS:
            if hasattr(part, key):
                setattr(part, key, values[name + key])


def losses(info: Mapping[str, Any]) -> dict[str, Tensor]:
    """What a call of `train_on_batch` says of the losses.

    Args:
        info: Its answer, nested where the algorithm has parts.

    Returns:
        Scalars by name. "loss" is the loss behind what is played, summed over the parts.
    """
    found: dict[str, Tensor] = {}
    total: Tensor | None = None
    for name, values in _reports(info, ""):
        minimised = next((key for key in _MINIMISED if key in values), None)
        for key, value in values.items():
            if key == minimised:
                total = value if total is None else total + value
            if key != minimised or name:
                found[name + key] = value
    return found if total is None else {"loss": total, **found}


def observation_groups(observation: Mapping[str, Any]) -> Iterator[Any]:
    """The sections of a config's "observation" that say what one part observes."""
    if "modalities" in observation:
        yield observation
    else:
        for section in observation.values():
            if isinstance(section, Mapping):
                yield from observation_groups(section)


def observed(observation: Mapping[str, Any], group: str = "obs") -> dict[str, list[str]]:
    """Keys by modality that any part observes.

    Args:
        observation: The section "observation" of a config.
        group: "obs", or "goal" for what goals are made of.
    """
    keys: dict[str, list[str]] = {}
    for section in observation_groups(observation):
        for modality, named in section["modalities"].get(group, {}).items():
            mine = keys.setdefault(modality, [])
            mine += [key for key in named if key not in mine]
    return keys


def _flat(of: Mapping[str, Any]) -> list[Any]:
    entries = [entry if isinstance(entry, list) else [entry] for entry in of.values()]
    return [item for entry in entries for item in entry if item is not None]


def _reports(info: Mapping[str, Any], name: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The losses of each part, with its path."""
    if "losses" in info:
        yield name, {key: torch.as_tensor(value).detach() for key, value in info["losses"].items()}
        return
    below = [part for part in _PARTS if isinstance(info.get(part), Mapping)]
    for part in below:
        yield from _reports(info[part], f"{name}{part}/")
    if not below:
        scalars = {key: torch.as_tensor(value).detach() for key, value in info.items() if key.endswith("loss")}
        yield name, {key: value for key, value in scalars.items() if value.numel() == 1}
