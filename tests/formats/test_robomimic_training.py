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
ROBOMIMIC = ("bc", "bcq", "cql", "iql", "td3_bc", "gl", "hbc", "iris")
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
    """What Robomimic's own player answers to observations of zeros."""
    from robomimic.utils import file_utils

    with quiet():
        policy, content = file_utils.policy_from_checkpoint(ckpt_path=str(checkpoint), device=torch.device("cpu"))
    policy.start_episode()
    stack = (frames,) if frames > 1 else ()
    return policy(ob={key: np.zeros((*stack, OBS[key]), np.float32) for key in content["shape_metadata"]["all_shapes"]})


def smaller(values: dict) -> dict:
    """A config that trains in a second instead of minutes."""
    if values["algo"].get("transformer"):
        values["algo"]["transformer"] |= {"embed_dim": 32, "num_layers": 1}
    return values


NAMES = sorted(path.stem for path in CONFIGS.glob("*.json"))
CHUNKS = [name for name in NAMES if json.loads((CONFIGS / f"{name}.json").read_text())["algo_name"] not in ROBOMIMIC]
PLAYED = [name for name in NAMES if name not in CHUNKS and name != "gl"]


@pytest.mark.parametrize("name", PLAYED)
@pytest.mark.parametrize("normalise", [True, False])
def test_every_config_file_trains_and_robomimic_loads_what_comes_out(
    file: Path, tmp_path: Path, name: str, normalise: bool
):
    values = smaller(json.loads((CONFIGS / f"{name}.json").read_text()))
    (tmp_path / "config.json").write_text(json.dumps(values))
    cfg = TrainCfg(config=tmp_path / "config.json", steps=6, batch_size=20, log_every=2, normalise=normalise)
    result = train(file, tmp_path / "run", cfg)
    assert result.steps == 6 and np.isfinite(result.loss)

    checkpoint = torch.load(result.policy, weights_only=True)
    assert ("obs_normalization_stats" in checkpoint) == normalise
    if not normalise:
        assert checkpoint["algo_name"] == values["algo_name"]  # nothing of ours is needed to play it
    assert robomimic_plays(result.policy, frames=10 if "transformer" in name else 1).shape == (7,)
    policy = load_policy(result.policy)
    assert policy.act({key: torch.zeros(1, OBS[key]) for key in policy.obs_keys}).shape == (1, 7)


@pytest.mark.parametrize("name", CHUNKS)
def test_our_own_config_files_train_and_play(file: Path, tmp_path: Path, name: str):
    result = train(file, tmp_path / "run", TrainCfg(config=CONFIGS / f"{name}.json", steps=2, batch_size=8))
    policy = load_policy(result.policy)
    obs = {key: torch.zeros(1, width) for key, width in (OBS | EXTRA).items() if key in policy.obs_keys}
    assert policy.act(obs).shape == (1, 7)


def test_a_planner_trains_and_says_that_it_does_not_act(file: Path, tmp_path: Path):
    cfg = TrainCfg(config=CONFIGS / "gl.json", steps=4, batch_size=20, log_every=2)
    result = train(file, tmp_path / "run", cfg)
    assert any("no actions" in notice for notice in result.notices)
    with pytest.raises(UserError, match="a planner"):
        load_policy(result.policy)


@pytest.mark.parametrize("name", list(recipes.RECIPES))
def test_a_recipe_and_its_file_are_the_same(name: str):
    require_robomimic()
    built_in = recipes.load_config(TrainCfg(algo=name))
    from_file = recipes.load_config(TrainCfg(config=CONFIGS / f"{name}.json"))
    assert json.loads(built_in.algo.dump()) == json.loads(from_file.algo.dump())
    relevant = ("batch_size", "seq_length", "frame_stack", "dataset_keys", "hdf5_normalize_obs")
    for key in relevant:
        assert tuple(np.atleast_1d(built_in.train[key])) == tuple(np.atleast_1d(from_file.train[key]))
    if name not in CHUNKS:
        assert built_in.train.num_epochs == from_file.train.num_epochs


def demos_for(path: Path, values: dict) -> Path:
    """Tiny demos with the observations that a config names, as Isaac Lab's recorder writes them."""
    named = values["observation"]["modalities"]["obs"]
    crop = values["observation"].get("encoder", {}).get("rgb", {}).get("obs_randomizer_kwargs") or {}
    size = (crop.get("crop_height", 80) + 4, crop.get("crop_width", 80) + 4, 3)
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as h5:
        h5.attrs["format_version"] = 1
        data = h5.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Isaac-Something-v0", "type": 2})
        for number in range(2):
            demo = data.create_group(f"demo_{number}")
            demo.attrs["num_samples"] = 12
            demo["actions"] = rng.uniform(-1, 1, (12, 7)).astype(np.float32)
            for key in named["low_dim"]:
                demo[f"obs/{key}"] = rng.normal(size=(12, 4)).astype(np.float32)
            for key in named.get("rgb", []):
                demo[f"obs/{key}"] = rng.integers(0, 256, (12, *size), np.uint8)
    return path


@pytest.mark.parametrize("path", ISAAC_LAB, ids=lambda path: f"{path.parts[-4]}-{path.stem}")
def test_isaac_labs_own_configs_train_as_they_are(tmp_path: Path, path: Path):
    values = json.loads(path.read_text())
    require_robomimic()
    as_shipped = TrainCfg(config=path, normalise=False)
    assert recipes.total_steps(recipes.load_config(as_shipped), as_shipped, batches=10) >= 10_000

    demos = demos_for(tmp_path / "demos.hdf5", values)
    cfg = TrainCfg(config=path, steps=2, batch_size=2, log_every=1, normalise=False)
    result = train(demos, tmp_path / "run", cfg)
    assert np.isfinite(result.loss)
    policy = load_policy(result.policy)
    obs = {key: torch.zeros(2, *shape, dtype=getattr(torch, kind)) for key, (shape, kind) in policy.obs_shapes.items()}
    policy.start(2)
    assert policy.act(obs).shape == (2, 7)


def test_there_are_nine_of_isaac_labs_configs():
    assert len(ISAAC_LAB) == 9


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


@pytest.fixture(scope="module")
def transitions(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same demos as Robomimic's own tools complete them, with what offline RL reads."""
    path = tmp_path_factory.mktemp("demos") / "robomimic.hdf5"
    path.write_bytes(file.read_bytes())
    with h5py.File(path, "r+") as h5:
        for demo in h5["data"].values():
            solved = np.zeros(len(demo["actions"]), np.float32)
            solved[-1] = 1.0
            demo["rewards"] = demo["dones"] = solved
            for key in OBS:
                value = demo[f"obs/{key}"][()]
                demo[f"next_obs/{key}"] = np.concatenate([value[1:], value[-1:]])
    return path


@pytest.mark.parametrize("name", PLAYED)
def test_a_checkpoint_of_robomimics_own_training_script_plays_here(transitions: Path, tmp_path: Path, name: str):
    from robomimic.config import config_factory
    from robomimic.scripts.train import train as robomimic_trains
    from robomimic.utils import file_utils

    require_robomimic()
    values = smaller(json.loads((CONFIGS / f"{name}.json").read_text()))
    config = config_factory(values["algo_name"])
    with config.values_unlocked():
        config.update(values)
        config.train.update({"data": str(transitions), "output_dir": str(tmp_path / "stock"), "cuda": False})
        config.train.update({"num_epochs": 1, "batch_size": 20, "hdf5_cache_mode": "low_dim"})
        config.train.hdf5_normalize_obs = False  # 0.3.0 normalises twice and stops
        config.experiment.update({"epoch_every_n_steps": 2, "name": "stock"})
        config.experiment.rollout.enabled = False
        config.experiment.save.every_n_epochs = 1
        config.experiment.logging.update({"terminal_output_to_txt": False, "log_tb": False})
    threads = torch.get_num_threads()
    with quiet():
        robomimic_trains(config, device=torch.device("cpu"))
    torch.set_num_threads(threads)
    (checkpoint,) = (tmp_path / "stock").rglob("*.pth")

    policy = load_policy(checkpoint)
    frames = 10 if "transformer" in name else 1
    assert robomimic_plays(checkpoint, frames).shape == (7,)
    if name in ("bc", "bc_transformer", "td3_bc"):  # nothing is drawn
        ours = policy.act({key: torch.zeros(1, OBS[key]) for key in policy.obs_keys})
        np.testing.assert_allclose(ours[0].numpy(), robomimic_plays(checkpoint, frames), atol=1e-5)
        assert file_utils.algo_name_from_checkpoint(ckpt_path=str(checkpoint))[0] == values["algo_name"]
    policy.start(3)
    obs = {key: torch.randn(3, OBS[key]) for key in policy.obs_keys}
    assert policy.act(obs).shape == (3, 7)


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
