"""From what the user chose and what the demo file holds to a complete Robomimic config and an algorithm."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from apprentice.demos.schema import IMAGE
from apprentice.errors import UserError
from apprentice.learn.algorithms.anatomy import OFFLINE_RL, PLANS, base_name, observation_groups, scaled_name
from apprentice.learn.cfg import TrainCfg
from apprentice.learn.data.dataset import Frames, Source
from apprentice.learn.data.features import EEF_POSE, OBJECT_POSE, FeatureCfg

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

_ISAAC_LAB_KEYS = ("eef_pos", "eef_quat", "gripper_pos", "object")
"""What Isaac Lab's own configs observe; preferred because other terms may be in world coordinates."""
_LAST_ACTION = ("actions", "last_action")
_PROPRIOCEPTION = ("gripper", "finger", "hand_joint")
_IMAGE_BATCH = 128
_RESNET: dict[str, Any] = {
    "feature_dimension": 64,
    "backbone_class": "ResNet18Conv",
    "backbone_kwargs": {"pretrained": False, "input_coord_conv": False},
    "pool_class": "SpatialSoftmax",
    "pool_kwargs": {"num_kp": 32, "learnable_temperature": False, "temperature": 1.0, "noise_std": 0.0},
}
"""What Robomimic's own algorithms look at images with: the encoder of its study (arXiv 2108.03298)."""
_CROP = 0.9
"""Share of the width and height of images that its random crops have, likewise."""


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


def choose_observations(config: Any, source: Source, cfg: TrainCfg) -> None:
    """Fill in what the algorithm observes, from what the demos have, where the config does not say.

    Raises:
        UserError: If the demos lack a key that the config names.
    """
    available = source.obs_keys()
    with config.values_unlocked():
        if cfg.cameras:
            _choose_cameras(config, source, cfg, available)
        if is_chunk_policy(config):
            chosen = _chunked_features(config, source, cfg, available)
            if config.observation.modalities.obs.rgb:
                # what is not observed may still be known of the demos: cameras learn to tell it
                told = FeatureCfg(
                    eefs=chosen.eefs, objects=chosen.objects, symmetry=chosen.symmetry, cubes=chosen.cubes
                )
                config.algo.told.update(told.to_dict() if told.objects else {})
                chosen = replace(chosen, objects=(), symmetry={}, cubes=())
            config.algo.features.update(chosen.to_dict())
            config.observation.modalities.obs.low_dim = list(chosen.obs_keys)
        elif not cfg.config:
            preferred = [key for key in _ISAAC_LAB_KEYS if key in available]
            plain = [key for key in available if "/" not in key and key not in _LAST_ACTION]
            chosen = preferred if len(preferred) == len(_ISAAC_LAB_KEYS) else plain
            if cfg.cameras:
                chosen = [key for key in chosen if any(word in key for word in ("eef", *_PROPRIOCEPTION))]
            for section in observation_groups(config.observation):
                section.modalities.obs.low_dim = chosen
                if "subgoal" in section.modalities:
                    section.modalities.subgoal.low_dim = chosen
    wanted = list(config.all_obs_keys)
    missing = [key for key in wanted if key not in available]
    if missing or not wanted:
        raise UserError(
            f"Expected the observations {', '.join(missing) or 'to learn from'} in {source.path}, found only:"
            f" {', '.join(available) or 'none'}; name others in the config (observation.modalities.obs.low_dim)."
        )


def data_keys(config: Any, source: Source) -> list[str]:
    """Keys of the demo file that training reads."""
    keys = ["obs/" + key for key in config.all_obs_keys]
    keys += [key for key in config.train.dataset_keys if key in source.keys]
    if is_chunk_policy(config):
        # only to recognise what the actions mean
        targets = [_target_key(name) for name in config.algo.features.eefs]
        keys += [key for key in targets if key in source.keys]
        told = config.algo.told.to_dict()
        keys += ["obs/" + key for key in FeatureCfg.from_dict(told).obs_keys] if told else []
    return list(dict.fromkeys(keys))


def recognise_actions(config: Any, frames: Frames) -> None:
    """Fill in what the columns of the actions mean (chunked BC)."""
    from apprentice.learn.data.action_space import recognise

    eefs = list(config.algo.features.eefs)
    space = recognise(
        frames.data["actions"].float(),
        {name: frames.data["obs/" + EEF_POSE + name].float() for name in eefs},
        {name: frames.data[_target_key(name)].float() for name in eefs if _target_key(name) in frames.data},
        frames.lengths,
    )
    with config.values_unlocked():
        config.algo.action_space.update(space.to_dict())
        if config.algo.features.last_action:
            config.algo.features.last_action_columns = [column.column for column in space.binary]


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


def _choose_cameras(config: Any, source: Source, cfg: TrainCfg, available: list[str]) -> None:
    """Observe images.

    Raises:
        UserError: If the demos have none of a camera.
    """
    images = [key for key in available if key.endswith(IMAGE)]
    missing = [camera for camera in cfg.cameras if camera + IMAGE not in images]
    if missing:
        known = ", ".join(key.removesuffix(IMAGE) for key in images)
        raise UserError(
            f"Expected images of {', '.join(missing)} in {source.path}, found {known or 'no images'}; draw them with"
            " `apprentice render`."
        )
    if base_name(config.algo_name) in PLANS:
        raise UserError(
            f"Expected --cameras of an algorithm that plans no observations, got {config.algo_name}; give a --config"
            " that names the images of its parts."
        )
    config.observation.modalities.obs.rgb = [camera + IMAGE for camera in cfg.cameras]
    if not cfg.batch_size and not cfg.config:
        config.train.batch_size = min(config.train.batch_size, _IMAGE_BATCH)
    if not is_chunk_policy(config) and not cfg.config:
        rgb = config.observation.encoder.rgb
        rgb.core_class = "VisualCore"
        rgb.core_kwargs.update(_RESNET)
        rgb.obs_randomizer_class = "CropRandomizer"
        key = "obs/" + config.observation.modalities.obs.rgb[0]
        height, width = source.read([key], source.train[:1]).data[key].shape[1:3]
        crop = {"crop_height": round(_CROP * height), "crop_width": round(_CROP * width)}
        rgb.obs_randomizer_kwargs.update({**crop, "num_crops": 1, "pos_enc": False})


def _chunked_features(config: Any, source: Source, cfg: TrainCfg, available: list[str]) -> Any:
    named = list(config.observation.modalities.obs.low_dim)
    keys = named or available
    eefs = tuple(key.removeprefix(EEF_POSE) for key in keys if key.startswith(EEF_POSE))
    objects = tuple(key.removeprefix(OBJECT_POSE) for key in keys if key.startswith(OBJECT_POSE))
    if not eefs:
        objects = ()
    poses = {EEF_POSE + name for name in eefs} | {OBJECT_POSE + name for name in objects}
    plain = [key for key in keys if key not in poses and key not in _LAST_ACTION]
    if not named:
        plain = [key for key in plain if "/" not in key]
        if eefs:
            # joints repeat what the pose says, and absolute object poses are what the relative ones replace
            plain = [key for key in plain if any(word in key for word in _PROPRIOCEPTION)]
    last = next((key for key in _LAST_ACTION if key in keys), None)
    symmetry = {**source.meta.get("symmetry", {}), **cfg.symmetry}
    unknown = sorted(set(cfg.symmetry) - set(objects))
    if unknown:
        raise UserError(f"Expected --symmetry for objects of {source.path} ({', '.join(objects)}), got {unknown}.")
    return FeatureCfg(
        eefs=eefs,
        objects=objects,
        symmetry={name: int(symmetry.get(name, 1)) for name in objects},
        cubes=tuple(name for name in source.meta.get("cubes", ()) if name in objects),
        plain=tuple(plain),
        last_action=last,
    )


def _target_key(eef: str) -> str:
    return f"obs/datagen_info/target_eef_pose/{eef}"


def _overrides(given: Mapping[str, str]) -> dict[str, Any]:
    """Dotted paths as nested dictionaries."""
    nested: dict[str, Any] = {}
    for path, text in given.items():
        *above, last = path.split(".")
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
