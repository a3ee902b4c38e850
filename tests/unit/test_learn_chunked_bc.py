"""Chunked BC: what it is taught is what was done, and what it plays is what it was taught."""

from pathlib import Path

import pytest
import torch
from learn_demos import write_demos
from torch import nn

from apprentice.learn.algorithms.plugins import quiet, require_robomimic
from apprentice.learn.cfg import TrainCfg
from apprentice.learn.data.dataset import Frames, open_source
from apprentice.learn.training import observed, recipes


@pytest.fixture(scope="module")
def frames_and_algo(tmp_path_factory: pytest.TempPathFactory):
    require_robomimic()
    from robomimic.algo import algo_factory
    from robomimic.utils import obs_utils

    path: Path = write_demos(tmp_path_factory.mktemp("demos") / "demos.hdf5", count=3, length=25)
    cfg = TrainCfg()
    source = open_source(path, cfg)
    config = recipes.load_config(cfg)
    observed.choose_observations(config, source, cfg)
    frames = source.read(observed.data_keys(config, source), source.train)
    observed.recognise_poses(config, frames)
    with config.values_unlocked():
        config.algo.label_smoothing = 0
        config.algo.execute = 5
        config.algo.chunk = 8
    with quiet():
        obs_utils.initialize_obs_utils_with_config(config)
        shapes = {key: list(frames.data["obs/" + key].shape[1:]) for key in config.all_obs_keys}
        algo = algo_factory("chunked_bc", config, shapes, ac_dim=7, device=torch.device("cpu"))
    algo.fit(frames.data, frames.lengths)
    algo.set_eval()
    return frames, algo


class Oracle(nn.Module):
    """Stands for a perfectly trained network: says the chunk of the frame that it is shown."""

    def __init__(self, algo, frames: Frames):
        super().__init__()
        self.inner = algo.nets["policy"]
        encoded = algo.encode(frames.data, frames.lengths)
        targets = encoded["targets"].unflatten(-1, self.inner.target_mean.shape)
        self.known = self.inner.normalise(encoded["obs/features"])
        self.targets = (targets - self.inner.target_mean) / self.inner.target_std
        self.logits = encoded["switches"].unflatten(-1, (self.inner.sizes.chunk, self.inner.sizes.switches)) - 0.5

    def __getattr__(self, name: str):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)

    def predict(self, context: torch.Tensor, noise: torch.Tensor):
        frame = torch.cdist(context[:, -self.known.shape[1] :], self.known).argmin(1)
        return self.targets[frame], self.logits[frame]


@pytest.mark.parametrize(("execute", "ensemble"), [(5, 0.0), (1, 0.1), (3, 0.1)])
def test_recorded_actions_are_reproduced_by_the_chunks_they_were_turned_into(frames_and_algo, execute, ensemble):
    frames, algo = frames_and_algo
    real, before = algo.nets["policy"], algo.algo_config.execute
    algo.nets["policy"] = Oracle(algo, frames)
    with algo.algo_config.values_unlocked():
        algo.algo_config.execute, algo.ensemble = execute, ensemble
    try:
        first = 0
        for length in frames.lengths:
            algo.reset()
            for step in range(length - 8):  # beyond, the last action is repeated
                row = slice(first + step, first + step + 1)
                obs = {key: frames.data["obs/" + key][row] for key in algo.feature_cfg.obs_keys}
                torch.testing.assert_close(algo.get_action(obs), frames.data["actions"][row], atol=2e-5, rtol=0)
            first += length
    finally:
        algo.nets["policy"] = real
        with algo.algo_config.values_unlocked():
            algo.algo_config.execute, algo.ensemble = before, 0.0


def test_chunks_do_not_reach_into_the_next_demo(frames_and_algo):
    frames, algo = frames_and_algo
    whole = algo.encode(frames.data, frames.lengths)
    length = frames.lengths[0]
    alone = algo.encode({key: value[:length] for key, value in frames.data.items()}, [length])
    for key, value in alone.items():
        torch.testing.assert_close(whole[key][:length], value)


def test_features_that_never_varied_are_not_blown_up(frames_and_algo):
    _, algo = frames_and_algo
    assert algo.nets["policy"].feature_std.min() >= 0.01 - 1e-6
    far = torch.full_like(algo.nets["policy"].feature_mean, 1e3)
    assert algo.nets["policy"].normalise(far).abs().max() <= 4.0
