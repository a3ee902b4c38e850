"""A sweep finds better settings, in one process or several, and goes on after a kill."""

import json
import multiprocessing
import time
from pathlib import Path

import pytest
from learn_demos import write_demos

from apprentice.errors import UserError
from apprentice.learn.training.train import train
from apprentice.pipeline.sweep import sweep
from apprentice.pipeline.sweep_cfg import load_sweep
from apprentice.pipeline.training import TrainingCfg

RATE = "algo.optim_params.policy.learning_rate.initial"
SPACE = f"""
objective: valid_loss
trials: 6
space:
  {RATE}: {{low: 1.0e-6, high: 1.0e-2, log: true}}
  algo.hidden_dims: {{choices: [[8], [16, 16]]}}
  ema_decay: {{low: 0.5, high: 0.9}}
  steps: {{choices: [30, 40]}}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demos(tmp_path_factory.mktemp("demos") / "demos.hdf5")


def base() -> TrainingCfg:
    override = {"algo.precision": '"fp32"', "algo.hidden_dims": "[8]"}
    return TrainingCfg(batch_size=64, override=override, log_every=10)


def asked(folder: Path, text: str = SPACE):
    path = folder / "sweep.yaml"
    path.write_text(text)
    return load_sweep(path)


def sweep_in_process(file: Path, output: Path, folder: Path) -> None:
    sweep(file, output, base(), asked(folder))


def rows(output: Path) -> list[dict]:
    try:
        return json.loads((output / "sweep.json").read_text())["trials"]
    except FileNotFoundError:
        return []


def test_a_killed_sweep_goes_on_and_its_best_config_trains(file: Path, tmp_path: Path):
    output = tmp_path / "sweep"
    process = multiprocessing.get_context("spawn").Process(target=sweep_in_process, args=(file, output, tmp_path))
    process.start()
    while process.is_alive() and len(rows(output)) < 2:
        time.sleep(0.005)
    process.kill()
    process.join()
    before = rows(output)
    assert 2 <= len(before) < 6

    results = sweep(file, output, base(), asked(tmp_path))
    # a number is missing where the kill came while Optuna thought a trial up
    assert len(results["trials"]) == 6
    assert results["trials"][: len(before)] == before
    assert json.loads((output / "sweep.json").read_text()) == json.loads(json.dumps(results))
    losses = [row["valid_loss"] for row in results["trials"]]
    best = results["best"]
    assert best["valid_loss"] == min(losses) < max(losses)

    trained = json.loads((output / "trials" / f"{best['number']:04d}" / "config.json").read_text())
    assert trained["robomimic"]["algo"]["hidden_dims"] == best["params"]["algo.hidden_dims"]
    assert trained["robomimic"]["algo"]["optim_params"]["policy"]["learning_rate"]["initial"] == best["params"][RATE]
    assert trained["train"]["ema_decay"] == best["params"]["ema_decay"] and trained["steps"] == best["params"]["steps"]
    options = {key: best["params"][key] for key in ("ema_decay", "steps")}
    again = train(file, tmp_path / "again", TrainingCfg(config=output / "best.json", log_every=10, **options))
    assert again.valid_loss == pytest.approx(best["valid_loss"], rel=1e-5)

    with pytest.raises(UserError, match="hold this very sweep"):
        sweep(file, output, base(), asked(tmp_path, SPACE.replace("0.9", "0.8")))


def test_settings_that_cannot_be_trained_with_are_said_and_passed_over(file: Path, tmp_path: Path):
    text = f"{{objective: valid_loss, trials: 4, seed: 1, space: {{{RATE}: {{choices: [1.0e-3, 1.0e+30]}}}}}}"
    wild = TrainingCfg(batch_size=64, steps=40, log_every=10, override={"algo.max_grad_norm": "1e30"})
    results = sweep(file, tmp_path / "sweep", wild, asked(tmp_path, text))
    failed = [row for row in results["trials"] if row["error"]]
    assert failed and all(row["params"][RATE] == 1e30 and "finite loss" in row["error"] for row in failed)
    assert results["best"]["params"][RATE] == 1e-3


def test_two_processes_share_a_sweep(file: Path, tmp_path: Path):
    text = SPACE.replace("trials: 6", "trials: 3\nworkers: 2")
    results = sweep(file, tmp_path / "sweep", base(), asked(tmp_path, text))
    assert sorted(row["number"] for row in results["trials"]) == [0, 1, 2]
    assert all(row["error"] is None and row["valid_loss"] > 0 for row in results["trials"])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("trials: 3", "space to search"),
        ("space: {learning_rate: {low: 0, high: 1}}", "'learning_rate' .*to be an option of a training"),
        ("space: {seed: {choices: [1, 2]}}", "'seed'"),
        ("space: {steps: 100}", "'steps' to be .*found 100"),
        ("space: {ema_decay: {low: 0.9}}", "'ema_decay' to be"),
        ("objective: luck\nspace: {steps: {choices: [1]}}", "objective in .*'luck'"),
        ("trials: 0\nspace: {steps: {choices: [1]}}", "at least one trial"),
        ("tries: 3", "to be a sweep"),
        ("space: [", "to be a sweep"),
    ],
)
def test_what_is_wrong_with_a_sweep_is_said(tmp_path: Path, text: str, match: str):
    with pytest.raises(UserError, match=match):
        asked(tmp_path, text)
    with pytest.raises(UserError, match="can't be read"):
        load_sweep(tmp_path / "nothing.yaml")


def test_overrides_change_the_config_and_are_checked(file: Path, tmp_path: Path):
    train(file, tmp_path / "run", TrainingCfg(steps=2, override={"algo.chunk": "7", "algo.execute": "3"}))
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["robomimic"]["algo"]["chunk"] == 7
    with pytest.raises(UserError, match="chunk_size"):
        train(file, tmp_path / "other", TrainingCfg(steps=2, override={"algo.chunk_size": "7"}))
    with pytest.raises(UserError, match="read off the demos"):
        train(file, tmp_path / "other", TrainingCfg(steps=2, override={"algo.features.plain": "[]"}))
    with pytest.raises(UserError, match=r"JSON for --override algo\.chunk"):
        train(file, tmp_path / "other", TrainingCfg(steps=2, override={"algo.chunk": "seven"}))
