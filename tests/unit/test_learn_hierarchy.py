"""Policies of two levels: what is under way is told rightly, acted upon, and travels with the checkpoint."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from learn_demos import observation, reaching_demo, write_demos

from apprentice.demos import DemoWriter
from apprentice.errors import UserError
from apprentice.learn.cfg import TrainCfg
from apprentice.learn.data.subtasks import SIGNAL, Subtasks, embedded, under_way
from apprentice.learn.play.export import export
from apprentice.learn.play.policy import load_policy
from apprentice.learn.training.train import train

DEMOS = 40
WORDS = ("Reach for the cube", "Close the hand")
LIGHT = {
    "algo_name": "chunked_bc",
    "algo": {"hidden_dims": [64], "chunk": 8, "execute": 5},
    "train": {"batch_size": 64},
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("demos") / "demos.hdf5"
    parts = [{"object": "cube", "signal": "reached"}, {"object": "cube", "signal": None}]
    parts = [part | {"description": words} for part, words in zip(parts, WORDS, strict=True)]
    with DemoWriter(path, task="Reach-Cube", meta={"symmetry": {"cube": 4}, "subtasks": {"hand": parts}}) as writer:
        for number in range(DEMOS):
            demo = reaching_demo(rng, 20 + number % 3)
            # true for one step only: what follows is the second subtask all the same
            begun = np.diff(demo.actions[:, 6], prepend=1.0) < 0
            demo.data["obs/" + SIGNAL + "reached"] = begun[:, None].astype(np.float32)
            writer.append(demo)
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "light.json"
    path.write_text(json.dumps(LIGHT))
    return path


@pytest.fixture(scope="module")
def trained(file: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("run")
    train(file, output, TrainCfg(config=config, hierarchy=True, steps=400, valid_fraction=0.1))
    return output


def test_a_subtask_is_over_once_its_signal_or_a_later_one_was_true():
    two = Subtasks(signals=("a", "b"), words=("", "", ""))
    signals = {
        SIGNAL + "a": torch.tensor([0, 1, 0, 0, 0.0, 0, 0]),
        SIGNAL + "b": torch.tensor([[0], [0], [0], [1], [0.0], [1], [0]]),
    }
    one = Subtasks(signals=("b",), words=("", ""))
    found = under_way(signals, [two, one], [5, 2])
    assert found[:, 0].tolist() == [0, 1, 1, 2, 2, 2, 2]
    assert found[:, 1].tolist() == [0, 0, 0, 1, 1, 1, 1]
    # the second demo begins anew
    assert under_way({key: value.roll(1, 0) for key, value in signals.items()}, [one], [5, 2])[5:, 0].tolist() == [0, 1]


def test_texts_that_share_words_are_alike_and_none_is_nothing():
    red, green, drawer = (embedded(text, 64) for text in ("Grasp the red cube", "grasp the green cube.", "Pull it"))
    assert red @ green > 0.3 > drawer @ red
    torch.testing.assert_close(red.norm(), torch.tensor(1.0))
    assert not embedded("", 8).any()


def test_it_learns_to_tell_what_is_under_way_and_acts_on_what_it_tells(file: Path, trained: Path):
    log = [json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()]
    assert log[-1]["valid_subtask_loss"] < 0.2 < log[0]["valid_subtask_loss"]
    policy = load_policy(trained)
    assert not any("subtask" in key for key in policy.obs_keys)
    head = policy.nets["policy"].subtasks
    policy.start(DEMOS)
    before = policy.act(observation(file, policy.obs_keys, 3))
    with torch.no_grad():  # whatever it sees, it now tells that the hand should close
        head.tell[-1].bias += torch.tensor([-100.0, 100.0])
    policy.start(DEMOS)
    after = policy.act(observation(file, policy.obs_keys, 3))
    assert (before[:, 6] > 0).all() and not torch.equal(before, after)


def test_words_are_part_of_what_the_lower_level_is_told(trained: Path):
    head = load_policy(trained).nets["policy"].subtasks
    for told, words in enumerate(WORDS):
        with torch.no_grad():
            head.tell[-1].bias[:] = torch.tensor([100.0, -100.0]) * (1 - 2 * told)
            upper, _ = head(torch.zeros(1, head.tell[0].in_features))
        assert upper[0, :2].tolist() == [1 - told, told]
        torch.testing.assert_close(upper[0, 2:], embedded(words, 32))


@pytest.mark.parametrize("algo", ["act", "flow"])
def test_every_chunk_policy_can_have_two_levels(file: Path, tmp_path: Path, algo: str):
    small = {"algo.width": "32", "algo.feedforward": "32"} if algo == "act" else {}
    train(file, tmp_path / "run", TrainCfg(algo=algo, override=small, hierarchy=True, steps=2, batch_size=8))
    policy = load_policy(tmp_path / "run")
    policy.start(DEMOS)
    assert policy.act(observation(file, policy.obs_keys, 0)).shape == (DEMOS, 7)


def test_both_levels_are_exported(trained: Path, tmp_path: Path):
    result = export(trained, tmp_path / "exported")
    assert max(result.onnx_difference, result.torchscript_difference) < 1e-4


def test_demos_without_signals_and_algorithms_without_levels_are_refused(file: Path, tmp_path: Path):
    with pytest.raises(UserError, match="Expected the signals of subtasks"):
        train(write_demos(tmp_path / "plain.hdf5"), tmp_path / "run", TrainCfg(hierarchy=True, steps=2))
    with pytest.raises(UserError, match="--hierarchy of a chunk policy"):
        train(file, tmp_path / "run", TrainCfg(algo="bc", hierarchy=True, steps=2))
