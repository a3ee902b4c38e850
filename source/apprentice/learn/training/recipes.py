"""From what the user chose and what the demo file holds to a complete Robomimic config and an algorithm."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from apprentice.errors import UserError
from apprentice.learn.algorithms.anatomy import FROM_DEMOS, OFFLINE_RL, base_name, scaled_name
from apprentice.learn.cfg import TrainCfg

_RNN_GMM = {
    "gmm": {"enabled": True},
    "rnn": {"enabled": True, "horizon": 10, "hidden_dim": 400},
    "actor_layer_dims": [],
}
_TRANSFORMER = {"transformer": {"enabled": True, "context_length": 10, "embed_dim": 256, "num_layers": 4}}
_ADAM = {"optim_params": {"policy": {"learning_rate": {"initial": 1e-3}}}}
_WINDOW = {"dataset_keys": ["actions"], "hdf5_cache_mode": "low_dim", "batch_size": 100}
_TRANSITIONS = {**_WINDOW, "dataset_keys": ["actions", "rewards", "dones"], "num_epochs": 200}
_SUBGOALS = {"train": {**_WINDOW, "seq_length": 10, "num_epochs": 200}}

RECIPES: dict[str, dict[str, Any]] = {
    "chunked_bc": {"algo_name": "chunked_bc"},
    "act": {"algo_name": "act"},
    "flow": {"algo_name": "flow"},
    "diffusion": {"algo_name": "diffusion"},
    "bc": {"algo_name": "bc", "train": {**_WINDOW, "num_epochs": 200}, "algo": _ADAM},
    "bc_rnn_gmm": {
        "algo_name": "bc",
        "train": {**_WINDOW, "seq_length": 10, "num_epochs": 200},
        "algo": {**_ADAM, **_RNN_GMM},
    },
    "bc_transformer": {
        "algo_name": "bc",
        "train": {**_WINDOW, "frame_stack": 10, "num_epochs": 200},
        "algo": {**_TRANSFORMER, "optim_params": {"policy": {"learning_rate": {"initial": 1e-4}}}},
    },
    "bc_transformer_gmm": {
        "algo_name": "bc",
        "train": {**_WINDOW, "frame_stack": 10, "num_epochs": 200},
        "algo": {
            **_TRANSFORMER,
            "gmm": {"enabled": True},
            "optim_params": {"policy": {"learning_rate": {"initial": 1e-4}}},
        },
    },
    "bc_gaussian": {
        "algo_name": "bc",
        "train": {**_WINDOW, "num_epochs": 200},
        "algo": {**_ADAM, "gaussian": {"enabled": True}},
    },
    "bc_gmm": {
        "algo_name": "bc",
        "train": {**_WINDOW, "num_epochs": 200},
        "algo": {**_ADAM, "gmm": {"enabled": True}},
    },
    "bc_vae": {"algo_name": "bc", "train": {**_WINDOW, "num_epochs": 200}, "algo": {**_ADAM, "vae": {"enabled": True}}},
    "bcq": {"algo_name": "bcq", "train": _TRANSITIONS},
    "cql": {"algo_name": "cql", "train": {**_TRANSITIONS, "batch_size": 1024}},
    "iql": {"algo_name": "iql", "train": _TRANSITIONS},
    "td3_bc": {"algo_name": "td3_bc", "train": {**_TRANSITIONS, "batch_size": 256, "hdf5_normalize_obs": False}},
    "gl": {"algo_name": "gl", **_SUBGOALS},
    "hbc": {"algo_name": "hbc", **_SUBGOALS},
    "iris": {"algo_name": "iris", "train": {**_TRANSITIONS, "seq_length": 10}},
}
"""What each recipe changes in Robomimic's defaults. `config/robomimic/` holds the same as files to edit."""


CHUNK_POLICIES = ("chunked_bc", "act", "flow", "diffusion")
"""Those of them that are ours."""


def load_config(cfg: TrainCfg) -> Any:
    """The Robomimic config of a recipe or of a JSON file, before it has seen the demos.

    Raises:
        UserError: If there is no such recipe or file, or the file is not a Robomimic config.
    """
    from robomimic.config import config_factory, get_all_registered_configs

    values = _read_json(cfg.config) if cfg.config else RECIPES.get(cfg.algo)
    if values is None:
        raise UserError(f"Expected --algo to be one of {', '.join(RECIPES)}, got {cfg.algo!r}.")
    name, known = str(values.get("algo_name")), sorted(get_all_registered_configs())
    if name not in known:
        raise UserError(f"Expected algo_name in {cfg.config} to be one of {', '.join(known)}, found {name!r}.")
    if cfg.normalise:
        name = scaled_name(name)
    config = config_factory(name)
    try:
        with config.values_unlocked():
            config.update({**values, "algo_name": name})
            config.update(_overrides(cfg.override))
            if base_name(name) in OFFLINE_RL:
                config.train.dataset_keys = list(dict.fromkeys([*config.train.dataset_keys, "rewards", "dones"]))
            if cfg.batch_size:
                config.train.batch_size = cfg.batch_size
            config.train.seed = cfg.seed
            if cfg.normalise and not is_chunk_policy(config):
                config.train.hdf5_normalize_obs = True
            if cfg.steps and is_chunk_policy(config):
                config.algo.steps = cfg.steps
    except (RuntimeError, KeyError, AttributeError) as error:
        where = f"in {cfg.config}" if cfg.config else f"of {cfg.algo}"
        raise UserError(f"Expected a Robomimic 0.3.0 config {where}, but {error}; correct that key.") from error
    _check_supported(config, cfg)
    return config


def is_chunk_policy(config: Any) -> bool:
    """Whether this is one of our algorithms, which turn demos into features and chunks."""
    return "action_space" in config.algo


def total_steps(config: Any, cfg: TrainCfg, batches: int) -> int:
    """Gradient steps of a run: as asked for, or as many as the config's epochs come to."""
    if cfg.steps:
        return cfg.steps
    if is_chunk_policy(config):
        return int(config.algo.steps)
    return int(config.train.num_epochs * epoch_steps(config, batches))


def epoch_steps(config: Any, batches: int) -> int:
    """Gradient steps of one of Robomimic's epochs, after which its learning rates are scheduled."""
    return int(config.experiment.epoch_every_n_steps or batches)


def _overrides(given: Mapping[str, str]) -> dict[str, Any]:
    """Dotted paths as nested dictionaries."""
    nested: dict[str, Any] = {}
    for path, text in given.items():
        *above, last = path.split(".")
        if above[:1] == ["algo"] and [*above, last][1] in FROM_DEMOS:
            raise UserError(
                f"Expected --override of a setting, got {path}, which is read off the demos; choose what is observed"
                " with observation.modalities.obs.low_dim."
            )
        section = nested
        for name in above:
            section = section.setdefault(name, {})
        try:
            section[last] = json.loads(text)
        except ValueError as error:
            raise UserError(f'Expected JSON for --override {path}, found {text!r}; quote text as "text".') from error
    return nested


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"Expected a Robomimic config at {path}, found no file.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"Expected a Robomimic config (JSON) at {path}, but {error}.") from error
    if not isinstance(values, dict):
        raise UserError(f"Expected a JSON object in {path}, found {type(values).__name__}.")
    return values


def _check_supported(config: Any, cfg: TrainCfg) -> None:
    name, train = cfg.config or cfg.algo, config.train
    if config.use_goals and train.goal_mode != "last":
        raise UserError(
            f"Expected {name} to say where its goals come from, found train.goal_mode {train.goal_mode!r}; set it to"
            ' "last" (the end of the demo) or remove the goal observations.'
        )
    if "latent_subgoal" in config.algo and config.algo.latent_subgoal.enabled:
        raise UserError(
            f"Expected {name} without algo.latent_subgoal, which Robomimic 0.3.0 cannot play; set enabled to false."
        )
    ahead = {"subgoal_horizon": 1, "n_step": 1} | dict(_numbers(config.algo))
    for key in ("subgoal_horizon", "n_step"):
        if ahead[key] > train.seq_length:
            raise UserError(
                f"Expected train.seq_length in {name} of at least {key}, {ahead[key]}, found {train.seq_length}; make"
                " the windows longer."
            )
    if config.algo_name == "iris" and cfg.config:
        planner = config.observation.value_planner
        valued, planned = (
            {key for keys in section.values() for key in keys}
            for section in (planner.value.modalities.obs, planner.planner.modalities.subgoal)
        )
        if not valued <= planned:
            raise UserError(
                f"Expected {name} to value what it plans, found a value of {sorted(valued)} and subgoals of"
                f" {sorted(planned)}; name the same keys in value_planner.planner.modalities.subgoal."
            )


def _numbers(section: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Whole numbers anywhere in a section, by the last part of their key."""
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _numbers(value)
        elif isinstance(value, int):
            yield key, value
