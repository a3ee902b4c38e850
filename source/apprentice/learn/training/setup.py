"""The algorithm with its statistics and its windows, from a config and the frames of demos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from apprentice.errors import UserError
from apprentice.learn.algorithms.anatomy import LOOKS_AHEAD, OFFLINE_RL, base_name, networks, observed
from apprentice.learn.algorithms.plugins import quiet
from apprentice.learn.data.batches import Batches, WindowCfg, Windows
from apprentice.learn.data.dataset import Frames
from apprentice.learn.training import recipes


def build(config: Any, demos: Frames, device: torch.device) -> tuple[Any, dict[str, Any]]:
    """The Robomimic algorithm with fresh weights, and Robomimic's shape metadata.

    Raises:
        UserError: If the config combines what Robomimic does not.
    """
    from robomimic.algo import algo_factory
    from robomimic.utils import obs_utils

    with quiet():
        obs_utils.initialize_obs_utils_with_config(config)
        shapes = {
            key: obs_utils.get_processed_shape(
                obs_modality=obs_utils.OBS_KEYS_TO_MODALITIES[key], input_shape=list(demos.data["obs/" + key].shape[1:])
            )
            for key in sorted(config.all_obs_keys)
        }
        size = demos.data["actions"].shape[1]
        try:
            algo = algo_factory(config.algo_name, config, obs_key_shapes=shapes, ac_dim=size, device=device)
        except (NotImplementedError, TypeError, ValueError, AssertionError, KeyError) as error:
            raise UserError(
                f"Expected a config of {base_name(config.algo_name)} that Robomimic 0.3.0 can build, but it raises"
                f" {type(error).__name__} ({error}); look for options of its algo section that exclude or need another."
            ) from error
    images = any(observed(config.observation, group).get("rgb") for group in ("obs", "goal", "subgoal"))
    metadata = {"ac_dim": size, "all_shapes": shapes, "all_obs_keys": list(shapes), "use_images": images}
    return algo, metadata


def fit(algo: Any, config: Any, demos: Frames, shapes: Mapping[str, Any]) -> dict[str, Any] | None:
    """Statistics from the training data: into the algorithm where it holds them, otherwise as Robomimic keeps them."""
    if recipes.is_chunk_policy(config):
        algo.fit(demos.data, demos.lengths)
        return None
    if "action_range" in (nets := networks(algo)):
        range_: Any = nets["action_range"]
        range_.fit(demos.data["actions"].float())
    if not config.train.hdf5_normalize_obs:
        return None
    from robomimic.utils.obs_utils import OBS_KEYS_TO_MODALITIES

    statistics: dict[str, Any] = {}
    for key, shape in shapes["all_shapes"].items():
        if OBS_KEYS_TO_MODALITIES[key] == "low_dim":
            value = demos.data["obs/" + key].float()
            mean, std = value.mean(0), value.std(0, correction=0) + 1e-3
        else:  # images are scaled to 0..1 by Robomimic
            mean, std = torch.zeros(shape), torch.ones(shape)
        # Robomimic 0.3.0 wants the statistics of a frame stack in the shape of the stack
        frames = config.train.frame_stack
        statistics[key] = {
            "mean": mean.expand(frames, *shape).tolist(),
            "std": std.expand(frames, *shape).tolist(),
        }
    return statistics


def compile_networks(algo: Any, config: Any) -> None:
    """Compile what the networks do in training.

    Raises:
        UserError: If the algorithm is one of Robomimic's, whose losses are no functions of their own.
    """
    if not recipes.is_chunk_policy(config):
        raise UserError(f"Expected one of our policies for --compile, got {base_name(config.algo_name)}.")
    algo.compile()


def windows(
    algo: Any, config: Any, frames: Frames, statistics: Mapping[str, Any] | None, device: torch.device
) -> Windows:
    """The training windows, with everything done once that need not be done in every step."""
    cfg = config.train
    window = WindowCfg(
        frame_stack=cfg.frame_stack,
        seq_length=cfg.seq_length,
        pad_frame_stack=cfg.pad_frame_stack,
        pad_seq_length=cfg.pad_seq_length,
        next_obs=base_name(config.algo_name) in LOOKS_AHEAD,
        goal_obs=config.use_goals,
    )
    if recipes.is_chunk_policy(config):
        return Windows(algo.encode(frames.data, frames.lengths), frames.lengths, window, device)
    data = dict(frames.data)
    for key, values in (statistics or {}).items():
        if data["obs/" + key].dtype != torch.uint8:
            mean, std = (torch.tensor(values[name])[-1] for name in ("mean", "std"))
            data["obs/" + key] = (data["obs/" + key].float() - mean) / std
    for key in cfg.dataset_keys:
        if key in ("rewards", "dones"):
            data[key] = frames.outcome(key)
        else:  # as Robomimic does: what a demo does not have is zero
            data.setdefault(key, torch.zeros(frames.num_frames, 1))
    return Windows(data, frames.lengths, window, device)


def notices(config: Any, demos: Frames, batches: Batches) -> list[str]:
    said: list[str] = []
    if batches.batch_size < config.train.batch_size:
        said.append(
            f"The demos make {batches.batch_size} windows, fewer than a batch of {config.train.batch_size}: every batch"
            " holds them all."
        )
    if recipes.is_chunk_policy(config) and not config.algo.features.eefs:
        said.append("No datagen_info/eef_pose in the file: learning from plain observations, chunks of raw actions.")
    elif recipes.is_chunk_policy(config) and not config.algo.action_space.poses:
        said.append("The actions are no poses, neither relative nor absolute: learning chunks of raw actions.")
    name = base_name(config.algo_name)
    if name == config.algo_name and _squashes(config) and demos.data["actions"].abs().max() > 1:
        remedy = "; scale them in the demos" if name in ("hbc", "iris") else "; train with --normalise"
        said.append(f"Some actions exceed 1, which this algorithm cannot output{remedy}.")
    if name in OFFLINE_RL and not demos.outcome("rewards").any():
        said.append("All rewards are 0 and no demo says it succeeded: there is nothing to learn a value from.")
    if name == "gl":
        said.append("gl only learns to plan subgoals: its checkpoint has no actions. hbc trains a policy on top.")
    return said


def _squashes(config: Any) -> bool:
    """Whether the actions go through a tanh, all but those of a chunk policy."""
    return config.algo_name in ("bc", "hbc", *OFFLINE_RL)
