"""What an algorithm observes of the demos of a file, where its config does not say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apprentice.demos.schema import DEPTH, IMAGE
from apprentice.errors import UserError
from apprentice.learn.algorithms.anatomy import PLANS, base_name, observation_groups
from apprentice.learn.cfg import TrainCfg
from apprentice.learn.data.dataset import Frames, Source
from apprentice.learn.data.features import EEF_POSE, OBJECT_POSE, FeatureCfg, heading_axis
from apprentice.learn.data.subtasks import SIGNAL, Subtasks
from apprentice.learn.training.recipes import CHUNK_POLICIES, is_chunk_policy

_ISAAC_LAB_KEYS = ("eef_pos", "eef_quat", "gripper_pos", "object")
"""What Isaac Lab's own configs observe; preferred because other terms may be in world coordinates."""
_LAST_ACTION = ("actions", "last_action")
_PROPRIOCEPTION = ("gripper", "finger", "hand_joint")
_IMAGE_BATCH = 64
_IMAGE_EXECUTE = 14
"""Control steps that are executed of a chunk that cameras led to: as measured, and every look at images costs."""
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


def choose_observations(config: Any, source: Source, cfg: TrainCfg) -> None:
    """Fill in what the algorithm observes, from what the demos have, where the config does not say.

    Raises:
        UserError: If the demos lack a key that the config names.
    """
    available = source.obs_keys()
    with config.values_unlocked():
        if cfg.cameras or cfg.depth:
            _choose_cameras(config, source, cfg, available)
        if is_chunk_policy(config):
            chosen = _chunked_features(config, source, cfg, available)
            if config.observation.modalities.obs.rgb or config.observation.modalities.obs.depth:
                # what is not observed may still be known of the demos: cameras learn to tell it
                told = FeatureCfg(
                    eefs=chosen.eefs, objects=chosen.objects, symmetry=chosen.symmetry, cubes=chosen.cubes
                )
                config.algo.told.update(told.to_dict() if told.objects else {})
                chosen = replace(chosen, objects=(), symmetry={}, cubes=())
            if cfg.hierarchy:
                subtasks = _subtasks(source)
                config.algo.subtasks.update({eef: one.to_dict() for eef, one in subtasks.items()})
            config.algo.features.update(chosen.to_dict())
            config.observation.modalities.obs.low_dim = list(chosen.obs_keys)
        elif cfg.hierarchy:
            raise UserError(f"Expected --hierarchy of a chunk policy ({', '.join(CHUNK_POLICIES)}), got {cfg.algo}.")
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
        for one in config.algo.subtasks.to_dict().values():
            keys += ["obs/" + SIGNAL + name for name in one["signals"]]
    return list(dict.fromkeys(keys))


def recognise_poses(config: Any, frames: Frames) -> None:
    """Fill in what the columns of the actions mean, and how end effectors are held (chunked BC)."""
    from apprentice.learn.data.action_space import recognise

    eefs = list(config.algo.features.eefs)
    space = recognise(
        frames.data["actions"].float(),
        {name: frames.data["obs/" + EEF_POSE + name].float() for name in eefs},
        {name: frames.data[_target_key(name)].float() for name in eefs if _target_key(name) in frames.data},
        frames.lengths,
    )
    headings = [heading_axis(frames.data["obs/" + EEF_POSE + name].float()) for name in eefs]
    with config.values_unlocked():
        config.algo.action_space.update(space.to_dict())
        config.algo.features.headings = headings
        if config.algo.told.to_dict():
            config.algo.told.headings = headings
        if config.algo.features.last_action:
            config.algo.features.last_action_columns = [column.column for column in space.binary]
            config.algo.features.held_steps = config.algo.held_steps


def _subtasks(source: Source) -> dict[str, Subtasks]:
    """Those that the demos tell of.

    Raises:
        UserError: If they tell of none.
    """
    found = Subtasks.of_file(source.meta, source.obs_keys())
    if not found:
        raise UserError(
            f"Expected the signals of subtasks in {source.path} (obs/{SIGNAL}...) and, in what it says of its demos,"
            " their order, found none; `apprentice annotate` and `apprentice augment` write both."
        )
    return found


def _choose_cameras(config: Any, source: Source, cfg: TrainCfg, available: list[str]) -> None:
    """Observe images.

    Raises:
        UserError: If the demos have none of a camera.
    """
    images = [key for key in available if key.endswith((IMAGE, DEPTH))]
    wanted = [camera + IMAGE for camera in cfg.cameras] + [camera + DEPTH for camera in cfg.depth]
    missing = [key for key in wanted if key not in images]
    if missing:
        raise UserError(
            f"Expected the images {', '.join(missing)} in {source.path}, found {', '.join(images) or 'none'}; draw them"
            f" with `apprentice render{' --depth' if cfg.depth else ''}`."
        )
    if cfg.depth and not is_chunk_policy(config):
        raise UserError(f"Expected --depth of a chunk policy ({', '.join(CHUNK_POLICIES)}), got {cfg.algo}.")
    if base_name(config.algo_name) in PLANS:
        raise UserError(
            f"Expected --cameras of an algorithm that plans no observations, got {config.algo_name}; give a --config"
            " that names the images of its parts."
        )
    config.observation.modalities.obs.rgb = [camera + IMAGE for camera in cfg.cameras]
    config.observation.modalities.obs.depth = [camera + DEPTH for camera in cfg.depth]
    if not cfg.batch_size and not cfg.config:
        config.train.batch_size = min(config.train.batch_size, _IMAGE_BATCH)
    if is_chunk_policy(config) and not cfg.config and "algo.execute" not in cfg.override:
        config.algo.execute = _IMAGE_EXECUTE
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
