"""Robomimic's configs, loops and checkpoints, and ours: each works with the other's."""

import json
from importlib.resources import files
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from apprentice.errors import UserError
from apprentice.learn.algorithms.plugins import quiet, require_robomimic
from apprentice.learn.cfg import TrainCfg
from apprentice.learn.data.batches import Batches, WindowCfg, Windows
from apprentice.learn.play.policy import load_policy
from apprentice.learn.training import recipes
from apprentice.learn.training.train import train

OBS = {"eef_pos": 3, "eef_quat": 4, "gripper_pos": 2, "object": 39, "joint_pos": 9, "joint_vel": 9}
EXTRA = {"object_position": 3, "target_object_position": 7}
CONFIGS = Path(__file__).parents[2] / "config" / "robomimic"
ISAAC_LAB = sorted(Path(str(files("isaaclab_tasks"))).rglob("agents/robomimic/*.json"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as Isaac Lab's recorder writes it: no masks, no rewards, nothing of ours."""
    path = tmp_path_factory.mktemp("demos") / "isaaclab.hdf5"
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as h5:
        h5.attrs["format_version"] = 1
        data = h5.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Isaac-Stack-Cube-Franka-IK-Rel-v0", "type": 2})
        for number in range(12):
            length = 30 + number
            demo = data.create_group(f"demo_{number}")
            demo.attrs["num_samples"], demo.attrs["success"] = length, True
            for key, width in (OBS | EXTRA).items():
                demo.create_dataset(f"obs/{key}", data=rng.normal(size=(length, width)).astype(np.float32))
            move = 0.1 * np.tile(demo["obs/eef_pos"][()], 2)
            gripper = np.where(demo["obs/object"][:, :1] > 0, 1.0, -1.0)
            demo.create_dataset("actions", data=np.concatenate([move, gripper], 1).astype(np.float32))
        data.attrs["total"] = sum(len(data[name]["actions"]) for name in data)
    return path


def robomimic_plays(checkpoint: Path, frames: int = 1) -> np.ndarray:
    from robomimic.utils import file_utils

    with quiet():
        policy, _ = file_utils.policy_from_checkpoint(ckpt_path=str(checkpoint), device=torch.device("cpu"))
    policy.start_episode()
    stack = (frames,) if frames > 1 else ()
    return policy(ob={key: np.zeros((*stack, OBS[key]), np.float32) for key in policy.policy.obs_key_shapes})


@pytest.mark.parametrize("name", ["bc", "bc_rnn_gmm", "bc_transformer", "bc_transformer_gmm", "chunked_bc"])
@pytest.mark.parametrize("normalise", [True, False])
def test_every_config_file_trains_and_robomimic_loads_what_comes_out(
    file: Path, tmp_path: Path, name: str, normalise: bool
):
    values = json.loads((CONFIGS / f"{name}.json").read_text())
    if "transformer" in name:  # seconds instead of minutes
        values["algo"]["transformer"] |= {"embed_dim": 32, "num_layers": 1}
    (tmp_path / "config.json").write_text(json.dumps(values))
    cfg = TrainCfg(config=tmp_path / "config.json", steps=6, batch_size=20, log_every=2, normalise=normalise)
    result = train(file, tmp_path / "run", cfg)
    assert result.steps == 6 and np.isfinite(result.loss)

    checkpoint = torch.load(result.policy, weights_only=True)
    assert ("obs_normalization_stats" in checkpoint) == (normalise and name != "chunked_bc")
    if not normalise and name != "chunked_bc":
        assert checkpoint["algo_name"] == "bc"  # nothing of ours is needed to play it
    if name == "chunked_bc":
        policy = load_policy(result.policy)
        assert policy.act(
            {key: torch.zeros(1, OBS[key]) for key in policy.obs_keys if key in OBS}
            | {key: torch.zeros(1, width) for key, width in EXTRA.items()}
        ).shape == (1, 7)
    else:
        assert robomimic_plays(result.policy, frames=10 if "transformer" in name else 1).shape == (7,)


@pytest.mark.parametrize("name", list(recipes.RECIPES))
def test_a_recipe_and_its_file_are_the_same(name: str):
    require_robomimic()
    built_in = recipes.load_config(TrainCfg(algo=name))
    from_file = recipes.load_config(TrainCfg(config=CONFIGS / f"{name}.json"))
    assert json.loads(built_in.algo.dump()) == json.loads(from_file.algo.dump())
    relevant = ("batch_size", "seq_length", "frame_stack", "dataset_keys", "hdf5_normalize_obs")
    for key in relevant:
        assert tuple(np.atleast_1d(built_in.train[key])) == tuple(np.atleast_1d(from_file.train[key]))
    if name != "chunked_bc":
        assert built_in.train.num_epochs == from_file.train.num_epochs


@pytest.mark.parametrize("path", ISAAC_LAB, ids=lambda path: f"{path.parts[-4]}-{path.stem}")
def test_isaac_labs_own_configs_load_as_they_are(path: Path):
    require_robomimic()
    cfg = TrainCfg(config=path, normalise=False)
    if json.loads(path.read_text())["algo_name"] != "bc":
        with pytest.raises(UserError, match="needs rewards"):
            recipes.load_config(cfg)
        return
    config = recipes.load_config(cfg)
    assert config.algo_name == "bc"
    assert recipes.total_steps(config, cfg, batches=10) >= 10_000


@pytest.mark.parametrize("path", [path for path in ISAAC_LAB if "franka" in path.parts and "image" not in path.stem])
def test_isaac_labs_state_configs_train(file: Path, tmp_path: Path, path: Path):
    if json.loads(path.read_text())["algo_name"] != "bc":
        return
    result = train(file, tmp_path / "run", TrainCfg(config=path, steps=3, normalise=False))
    assert np.isfinite(result.loss)
    load_policy(result.policy)


def stock_model(file: Path, values: dict):
    """What Robomimic itself makes of a config."""
    from robomimic.algo import algo_factory
    from robomimic.config import config_factory
    from robomimic.utils import file_utils, obs_utils

    config = config_factory("bc")
    with config.values_unlocked():
        config.update(values)
        config.train.data = str(file)
    with quiet():
        obs_utils.initialize_obs_utils_with_config(config)
        shapes = file_utils.get_shape_metadata_from_dataset(str(file), config.all_obs_keys)
        model = algo_factory("bc", config, shapes["all_shapes"], shapes["ac_dim"], torch.device("cpu"))
    return config, model, shapes


def test_robomimics_own_loop_trains_from_our_batches(file: Path):
    from robomimic.utils import train_utils

    from apprentice.demos import DemoFile

    _, model, _ = stock_model(file, json.loads((CONFIGS / "bc_rnn_gmm.json").read_text()))
    with DemoFile(file) as demos:
        keys = ["actions", *(f"obs/{key}" for key in ("eef_pos", "eef_quat", "gripper_pos", "object"))]
        arrays, lengths = demos.stack(keys)
    data = {key: torch.from_numpy(value) for key, value in arrays.items()}
    loader = Batches(Windows(data, lengths.tolist(), WindowCfg(seq_length=10)), batch_size=100)
    with quiet():
        losses = [train_utils.run_epoch(model, loader, epoch, num_steps=5)["Loss"] for epoch in (1, 2)]
    assert losses[1] < losses[0]


def test_a_checkpoint_that_robomimic_wrote_plays_here(file: Path, tmp_path: Path):
    from robomimic.utils import file_utils, train_utils

    values = json.loads((CONFIGS / "bc.json").read_text())
    config, model, shapes = stock_model(file, values)
    with quiet():
        environment = file_utils.get_env_metadata_from_dataset(str(file))
        train_utils.save_model(model, config, environment, shapes, str(tmp_path / "stock.pth"))
    policy = load_policy(tmp_path / "stock.pth")
    policy.start(5)
    obs = {key: torch.randn(5, OBS[key]) for key in policy.obs_keys}
    model.set_eval()
    torch.testing.assert_close(policy.act(obs), model.get_action(obs).detach())
