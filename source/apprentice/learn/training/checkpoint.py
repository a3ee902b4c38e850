"""What training leaves on disk: the policy as a Robomimic checkpoint, and the state to go on from."""

from __future__ import annotations

import pickle
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apprentice.demos.durable import write_atomically
from apprentice.errors import UserError
from apprentice.learn.algorithms.anatomy import counters, networks, optimisers, schedules, set_counters
from apprentice.learn.training.ranks import Ranks


def save_policy(
    path: Path,
    *,
    algo: Any,
    config: Any,
    shapes: Mapping[str, Any],
    obs_statistics: Mapping[str, Any] | None,
    env_args: Mapping[str, Any],
    about: Mapping[str, Any],
) -> None:
    """Write a checkpoint that Robomimic's `policy_from_checkpoint` loads.

    Args:
        path: Where to.
        algo: The Robomimic algorithm, with the weights to be saved.
        config: Its Robomimic config.
        shapes: Robomimic's shape metadata.
        obs_statistics: Robomimic's observation statistics, if observations are normalised outside the network.
        env_args: Robomimic's environment metadata.
        about: JSON-able facts of ours under the key "apprentice", which Robomimic ignores.
    """
    content: dict[str, Any] = {
        "model": algo.serialize(),
        "config": config.dump(),
        "algo_name": config.algo_name,
        "env_metadata": dict(env_args),
        "shape_metadata": dict(shapes),
        "apprentice": dict(about),
    }
    if obs_statistics is not None:
        content["obs_normalization_stats"] = obs_statistics
    write_atomically(path, lambda scratch: torch.save(content, scratch))


def save_state(
    path: Path, *, algo: Any, averaged: Mapping[str, Tensor], step: int, seconds: float, ranks: Ranks
) -> None:
    """Write everything that the next step depends on. Only the first process writes, what all of them need."""
    generators = ranks.all(_generators())
    if not ranks.first:
        return
    content = {
        "step": step,
        "seconds": seconds,
        "weights": networks(algo).state_dict(),
        "averaged": dict(averaged),
        "optimisers": [optimiser.state_dict() for optimiser in optimisers(algo)],
        "schedules": [schedule.state_dict() for schedule in schedules(algo)],
        "counters": counters(algo),
        "generators": generators,
    }
    write_atomically(path, lambda scratch: torch.save(content, scratch))


def load_state(path: Path, *, algo: Any, averaged: Mapping[str, Tensor], ranks: Ranks) -> tuple[int, float]:
    """Put an algorithm and every random number generator back to where `save_state` saw them.

    Returns:
        The step and the seconds spent so far.

    Raises:
        UserError: If the file cannot be read or belongs to another algorithm.
    """
    try:
        content = torch.load(path, map_location=algo.device, weights_only=True)
        networks(algo).load_state_dict(content["weights"])
        for name, value in averaged.items():
            value.copy_(content["averaged"][name])
        for optimiser, state in zip(optimisers(algo), content["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        for schedule, state in zip(schedules(algo), content["schedules"], strict=True):
            schedule.load_state_dict(state)
        set_counters(algo, content["counters"])
        generators = content["generators"]
    except (OSError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise UserError(
            f"Expected the training state of this run in {path}, but it cannot be used ({error}); train into another"
            " --output."
        ) from error
    if len(generators) != ranks.count:
        raise UserError(
            f"Expected as many processes as this training began with, {len(generators)}, found {ranks.count}; start as"
            " many, or train into another --output."
        )
    _set_generators(generators[ranks.rank])
    return int(content["step"]), float(content["seconds"])


def _generators() -> dict[str, Any]:
    """Every random number generator of this process, as plain values and tensors."""
    kind, key, *rest = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [kind, torch.from_numpy(np.asarray(key).astype(np.int64)), *rest],
        "python": random.getstate(),
    }


def _set_generators(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([each.cpu() for each in state["cuda"]])
    kind, key, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, key.cpu().numpy().astype(np.uint32), position, has_gauss, gauss))
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))
