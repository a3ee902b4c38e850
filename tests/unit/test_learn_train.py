"""Training survives kills, refuses to mix runs, and says what is wrong with its input."""

import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from learn_demos import write_demos
from test_learn_policy import CONFIGS

from apprentice.errors import UserError
from apprentice.learn.cfg import CHECKPOINT_RULE, STOPPING_RULE, TrainCfg
from apprentice.learn.training.identity import identity_of
from apprentice.learn.training.train import train

STEPS = 120


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The order of floating-point sums depends on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demos(tmp_path_factory.mktemp("demos") / "demos.hdf5")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config of a network that trains in a second."""
    path = tmp_path_factory.mktemp("config") / "small.json"
    rate = {"optim_params": {"policy": {"learning_rate": {"initial": 3e-3, "warmup_steps": 10}}}}
    algo = {"hidden_dims": [32], "precision": "fp32", **rate}
    path.write_text(json.dumps({"algo_name": "chunked_bc", "train": {"batch_size": 64}, "algo": algo}))
    return path


def small_cfg(small: Path, **changes) -> TrainCfg:
    return TrainCfg(**{"config": small, "steps": STEPS, "log_every": 10, "save_every": 10, **changes})


@pytest.fixture(scope="module")
def straight(file: Path, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    output = tmp_path_factory.mktemp("straight") / "run"
    train(file, output, small_cfg(small))
    return output


def weights(output: Path) -> dict[str, torch.Tensor]:
    return torch.load(output / "policy.pth", weights_only=True)["model"]


def log(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


def assert_same_run(output: Path, straight: Path) -> None:
    for name, value in weights(straight).items():
        assert torch.equal(weights(output)[name], value), name
    for ours, theirs in zip(log(output), log(straight), strict=True):
        for key in ("step", "loss", "lr", "success"):
            assert ours.get(key) == theirs.get(key)


def test_loss_falls_on_what_is_trained_and_on_what_is_held_out(straight: Path):
    lines = log(straight)
    assert [line["step"] for line in lines] == list(range(10, STEPS + 1, 10))
    assert lines[-1]["loss"] < 0.5 * lines[0]["loss"]
    assert lines[-1]["valid_loss"] < 0.7 * lines[0]["valid_loss"]
    config = json.loads((straight / "config.json").read_text())
    assert config["checkpoint_rule"] == CHECKPOINT_RULE
    assert config["robomimic"]["algo"]["features"]["symmetry"] == {"cube": 4}


class Slow:
    """Gives the killer time."""

    def update(self, done: int, total: int, note: str = "") -> None:
        time.sleep(0.05)


def train_slowly(file: Path, output: Path, small: Path) -> None:
    torch.set_num_threads(1)
    train(file, output, small_cfg(small), Slow())


def killed_thrice(target: Callable[..., None], file: Path, output: Path, small: Path, *, seed: int) -> Iterator[None]:
    """Start a training, and kill it some time after it has logged something, three times."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["apprentice.learn.training.train", "apprentice.learn.algorithms.plugins"])
    moments = random.Random(seed)
    for _ in range(3):
        process = processes.Process(target=target, args=(file, output, small))
        begin = len(log_bytes(output))
        process.start()
        while process.is_alive() and len(log_bytes(output)) <= begin:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        yield


def test_killed_anywhere_it_goes_on_and_ends_with_the_same_weights(
    file: Path, small: Path, straight: Path, tmp_path: Path
):
    output = tmp_path / "run"
    for _ in killed_thrice(train_slowly, file, output, small, seed=0):
        assert not (output / "policy.pth").exists()
    train(file, output, small_cfg(small))
    assert_same_run(output, straight)


def log_bytes(output: Path) -> bytes:
    path = output / "log.jsonl"
    return path.read_bytes() if path.exists() else b""


class PressCtrlC:
    """Presses Ctrl-C when training reports that it has come this far."""

    def __init__(self, step: int):
        self.step = step

    def update(self, done: int, total: int, note: str = "") -> None:
        if done == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_says_how_to_go_on_and_loses_nothing(file: Path, small: Path, straight: Path, tmp_path: Path):
    cfg = small_cfg(small, save_every=1000)
    with pytest.raises(UserError, match=r"stopped at step 50 of 120.*Run the same command again"):
        train(file, tmp_path / "run", cfg, PressCtrlC(50))
    train(file, tmp_path / "run", cfg)
    for name, value in weights(straight).items():
        assert torch.equal(weights(tmp_path / "run")[name], value), name


def rises(policy, step: int) -> dict[str, float]:
    """An evaluation that draws numbers from everywhere and gets better with the steps."""
    torch.rand(3), np.random.rand(3), random.random()
    return {"success": step / 100, "success_low": step / 100 - 0.1}


def train_until_good(file: Path, output: Path, small: Path) -> None:
    torch.set_num_threads(1)
    train(file, output, small_cfg(small, evaluate_every=15, stop_at=0.6), Slow(), evaluate=rises)


def test_it_stops_when_the_rollouts_are_good_enough_also_after_kills(file: Path, small: Path, tmp_path: Path):
    cfg = small_cfg(small, evaluate_every=15, stop_at=0.6)
    result = train(file, tmp_path / "straight", cfg, evaluate=rises)
    assert (result.steps, result.stopped) == (75, True)
    config = json.loads((tmp_path / "straight" / "config.json").read_text())
    assert config["stopped_at"] == 75 and config["steps"] == STEPS and config["checkpoint_rule"] == STOPPING_RULE
    said = torch.load(result.policy, weights_only=True)["apprentice"]
    assert said["stopped_at"] == 75 and said["checkpoint_rule"] == STOPPING_RULE

    output = tmp_path / "run"
    for _ in killed_thrice(train_until_good, file, output, small, seed=1):
        pass
    again = train(file, output, cfg, evaluate=rises)
    assert (again.steps, again.stopped) == (75, True)
    assert_same_run(output, tmp_path / "straight")
    assert train(file, output, cfg) == again  # answered, without a simulator
    assert curves(output) == curves(tmp_path / "straight")
    with pytest.raises(UserError, match=r"--stop_at was 0\.6, is 0\.7"):
        train(file, output, small_cfg(small, evaluate_every=15, stop_at=0.7), evaluate=rises)


def curves(output: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a run, but for its times."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(output / "tensorboard"))
    events.Reload()
    names = [name for name in events.Tags()["scalars"] if "seconds" not in name and "per_s" not in name]
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in names}


def test_tensorboard_shows_the_log(straight: Path):
    drawn = curves(straight)
    assert {"loss", "valid_loss", "lr"} <= set(drawn)
    assert [step for step, _ in drawn["loss"]] == [line["step"] for line in log(straight)]
    np.testing.assert_allclose([value for _, value in drawn["loss"]], [line["loss"] for line in log(straight)], 1e-6)


def test_weights_and_biases_gets_the_curves_offline(
    file: Path, small: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("WANDB_MODE", "offline")
    result = train(file, tmp_path / "run", small_cfg(small, wandb="tests"))
    assert result.steps == STEPS
    (kept,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    deadline = time.monotonic() + 20
    while b"valid_loss" not in kept.read_bytes():  # its own process writes the end a moment after it says so
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert_same_run(tmp_path / "run", straight)


def test_weights_and_biases_that_is_not_there_is_named(
    file: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"package wandb for --wandb.*\[wandb\]"):
        train(file, tmp_path / "run", small_cfg(small, wandb="tests"))


@pytest.mark.parametrize("algo_name", ["td3_bc", "cql", "hbc"])
def test_robomimics_other_algorithms_go_on_bit_for_bit(file: Path, tmp_path: Path, algo_name: str):
    """They count steps, and keep their optimisers in lists and parts."""
    seen = {"modalities": {"obs": {"low_dim": ["eef_pos"]}}}
    planned = {"modalities": {"obs": {"low_dim": ["eef_pos"]}, "subgoal": {"low_dim": ["eef_pos"]}}}
    observation = {"planner": planned, "actor": seen} if algo_name == "hbc" else seen
    # CQL imitates before it values: the change must come at the same step
    algo = {"actor": {"bc_start_steps": 30}} if algo_name == "cql" else {}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"algo_name": algo_name, "observation": observation, "algo": algo}))
    cfg = TrainCfg(config=config, steps=45, batch_size=16, log_every=5, save_every=1000)
    train(file, tmp_path / "straight", cfg)
    with pytest.raises(UserError, match="stopped at step 25"):
        train(file, tmp_path / "run", cfg, PressCtrlC(25))
    train(file, tmp_path / "run", cfg)
    assert log(tmp_path / "run")[-1]["loss"] == log(tmp_path / "straight")[-1]["loss"]
    before = torch.load(tmp_path / "straight" / "state.pt", weights_only=True)
    after = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert after["counters"] == before["counters"] and bool(before["counters"]) == (algo_name != "hbc")
    for name, value in before["averaged"].items():
        assert torch.equal(after["averaged"][name], value), name


def test_success_is_the_reward_where_a_file_says_none(file: Path, tmp_path: Path):
    from apprentice.learn.data.dataset import open_source

    path = tmp_path / "demos.hdf5"
    path.write_bytes(file.read_bytes())
    with h5py.File(path, "r+") as h5:
        h5["data/demo_1"].attrs["success"] = False
        for name in ("demo_0", "demo_1"):
            del h5[f"data/{name}/rewards"], h5[f"data/{name}/dones"]
    source = open_source(path, TrainCfg())
    assert "rewards" not in source.keys
    frames = source.read(["actions"], ["demo_0", "demo_1"])
    first = frames.lengths[0]
    for key in ("rewards", "dones"):
        assert frames.outcome(key).nonzero().flatten().tolist() == [first - 1]

    with h5py.File(path, "r+") as h5:
        for name in ("demo_0", "demo_1"):
            h5[f"data/{name}/rewards"] = np.full((len(h5[f"data/{name}/actions"]), 1), 0.5, np.float32)
    source = open_source(path, TrainCfg())
    assert (source.read(["rewards"], ["demo_0", "demo_1"]).outcome("rewards") == 0.5).all()


def test_a_checkpoint_says_which_training_made_it_and_seeds_share_a_recipe(
    file: Path, small: Path, straight: Path, tmp_path: Path
):
    for name, changes in {"seed": {"seed": 1}, "steps": {"steps": 20}}.items():
        train(file, tmp_path / name, small_cfg(small, **{"steps": STEPS, **changes}))
    found = {}
    for output in (straight, tmp_path / "seed", tmp_path / "steps"):
        about = torch.load(output / "policy.pth", weights_only=True)["apprentice"]
        found[output.name] = identity_of(output, about)
        # what an older checkpoint does not say, config.json beside it does
        assert identity_of(output / "policy.pth", {}) == about["training"]
    assert {one["seed"] for one in found.values()} == {0, 1}
    assert found["run"]["recipe"] == found["seed"]["recipe"] != found["steps"]["recipe"]
    assert identity_of(tmp_path, {}) is None


@pytest.mark.parametrize("kind", ["act", "flow"])
def test_what_is_drawn_in_training_is_drawn_again_after_an_interruption(file: Path, tmp_path: Path, kind: str):
    cfg = TrainCfg(config=tmp_path / "small.json", steps=40, log_every=10, save_every=10)
    algo = {**CONFIGS[kind]["algo"], "precision": "fp32"}
    (tmp_path / "small.json").write_text(json.dumps({**CONFIGS[kind], "train": {"batch_size": 32}, "algo": algo}))
    train(file, tmp_path / "straight", cfg)
    with pytest.raises(UserError, match="stopped at step 20 of 40"):
        train(file, tmp_path / "run", cfg, PressCtrlC(20))
    train(file, tmp_path / "run", cfg)
    for name, value in weights(tmp_path / "straight").items():
        assert torch.equal(weights(tmp_path / "run")[name], value), name


def test_a_finished_run_is_answered_not_repeated(file: Path, small: Path, straight: Path):
    before = (straight / "policy.pth").stat().st_mtime_ns
    result = train(file, straight, small_cfg(small))
    assert (straight / "policy.pth").stat().st_mtime_ns == before
    assert result.steps == STEPS
    assert result.demos == 10 and result.valid_loss is not None


@pytest.mark.parametrize("changes", [{"seed": 1}, {"steps": 130}, {"ema_decay": 0.9}, {"demos": 5}])
def test_another_run_does_not_overwrite_a_finished_one(file: Path, small: Path, straight: Path, changes: dict):
    before = {path.name: path.read_bytes() for path in straight.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="choose another --output"):
        train(file, straight, small_cfg(small, **changes))
    assert {path.name: path.read_bytes() for path in straight.rglob("*") if path.is_file()} == before


def test_validation_does_not_change_what_is_learned(file: Path, small: Path, straight: Path, tmp_path: Path):
    seen: list[tuple[int, torch.Size]] = []

    def evaluate(policy, step):
        from learn_demos import observation

        policy.start(12)
        seen.append((step, policy.act(observation(file, policy.obs_keys)).shape))
        return {"success": torch.rand(()).item()}

    train(file, tmp_path / "run", small_cfg(small, evaluate_every=50), evaluate=evaluate)
    assert seen == [(50, (12, 7)), (100, (12, 7))]
    for name, value in weights(straight).items():
        assert torch.equal(weights(tmp_path / "run")[name], value), name


def test_few_demos_make_a_smaller_batch_and_a_notice(small: Path, tmp_path: Path):
    few = write_demos(tmp_path / "few.hdf5", count=1, length=20)
    result = train(few, tmp_path / "run", small_cfg(small, steps=5))
    assert result.demos == 1 and result.valid_loss is None
    assert any("20 windows, fewer than a batch of 64" in notice for notice in result.notices)


def test_held_out_demos_are_never_trained_on(file: Path):
    from apprentice.demos import DemoFile
    from apprentice.learn.data.dataset import open_source

    with DemoFile(file) as demos:
        valid = demos.masks["valid"]
    assert valid
    source = open_source(file, TrainCfg())
    assert source.valid == valid and not set(valid) & set(source.train)
    everything = open_source(file, TrainCfg(valid_mask=""))
    assert set(everything.train) == {*source.train, *valid} and not everything.valid


def test_a_number_that_explodes_stops_training_and_says_what_to_try(file: Path, tmp_path: Path):
    config = tmp_path / "wild.json"
    rate = {"optim_params": {"policy": {"learning_rate": {"initial": 1e30, "warmup_steps": 0}}}}
    algo = {**rate, "hidden_dims": [8], "max_grad_norm": 1e30}
    config.write_text(json.dumps({"algo_name": "chunked_bc", "algo": algo}))
    with pytest.raises(UserError, match=r"at step .*lower the learning rate"):
        train(file, tmp_path / "run", TrainCfg(config=config, steps=50, log_every=5))


def test_what_is_wrong_with_the_request_is_said_in_one_sentence(file: Path, tmp_path: Path):
    def refused(match: str, path: Path = file, **changes) -> None:
        with pytest.raises(UserError, match=match):
            train(path, tmp_path / "run", TrainCfg(**{"steps": 10, **changes}))

    missing = tmp_path / "missing.json"
    missing.write_text(
        json.dumps({"algo_name": "bc", "observation": {"modalities": {"obs": {"low_dim": ["eef_pos", "object"]}}}})
    )
    typo = tmp_path / "typo.json"
    typo.write_text(json.dumps({"algo_name": "chunked_bc", "algo": {"chunck": 4}}))
    unknown = tmp_path / "unknown.json"
    unknown.write_text(json.dumps({"algo_name": "magic"}))

    def config(name: str, algo_name: str, **values) -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"algo_name": algo_name, **values}))
        return path

    seen = {"modalities": {"obs": {"low_dim": ["eef_pos"]}, "subgoal": {"low_dim": ["gripper_pos"]}}}
    goal = {"modalities": {"obs": {"low_dim": ["eef_pos"]}, "goal": {"low_dim": ["eef_pos"]}}}
    endless = config("endless", "bc", observation=goal)
    far = config("far", "gl", train={"seq_length": 5}, algo={"subgoal_horizon": 6})
    long = config("long", "bcq", algo={"n_step": 3})
    latent = config("latent", "hbc", algo={"latent_subgoal": {"enabled": True}})
    value = {"modalities": {"obs": {"low_dim": ["eef_pos"]}}}
    blind = config("blind", "iris", observation={"value_planner": {"planner": seen, "value": value}})
    rnn = {"rnn": {"enabled": True}, "gaussian": {"enabled": True}}
    both = config("both", "bc", algo=rnn, observation=value)
    broken = tmp_path / "broken.json"
    broken.write_text("{")

    refused("--algo to be one of chunked_bc.*got 'nonsense'", algo="nonsense")
    refused("Expected the observations object in .*found only: .*eef_pos", config=missing)
    refused("chunck", config=typo)
    refused("'magic'", config=unknown)
    refused("where its goals come from", config=endless)
    refused("seq_length .*at least subgoal_horizon, 6, found 5", config=far)
    refused("seq_length .*at least n_step, 3, found 1", config=long)
    refused("without algo.latent_subgoal", config=latent)
    refused("to value what it plans", config=blind)
    refused("Robomimic 0.3.0 can build", config=both)
    refused("JSON", config=broken)
    refused("found no file", config=tmp_path / "nowhere.json")
    refused("at least 99 demos", demos=99)
    refused("mask named 'best'", mask="best")
    refused("--symmetry for objects", symmetry={"moon": 2})
    refused("--device", device="abacus")
    refused("no such file", path=tmp_path / "nothing.hdf5")
    with pytest.raises(UserError, match="--steps of at least 1"):
        TrainCfg(steps=0)
    with pytest.raises(UserError, match="--evaluate-every with --stop-at"):
        TrainCfg(stop_at=0.9)

    for name, spoil in {"nan": np.nan, "empty": None}.items():
        path = tmp_path / f"{name}.hdf5"
        path.write_bytes(file.read_bytes())
        with h5py.File(path, "r+") as h5:
            if spoil is None:
                for demo in list(h5["data"]):
                    del h5["data"][demo]
                del h5["mask"]
            else:
                h5["data/demo_3/obs/gripper_pos"][4] = spoil
        refused("demo_3.*finite" if name == "nan" else "demos", path=path)
    assert not (tmp_path / "run").exists()
