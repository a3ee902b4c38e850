"""Several processes train as one would, and go on as they were."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from learn_demos import write_demos
from test_learn_policy import CONFIGS
from test_learn_train import PressCtrlC

from apprentice.errors import UserError
from apprentice.learn.cfg import TrainCfg
from apprentice.learn.training.ranks import Ranks
from apprentice.learn.training.train import train

STEPS = 60


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demos(tmp_path_factory.mktemp("demos") / "demos.hdf5")


def settings(kind: str, path: Path) -> Path:
    """A config of a small network, without mixed precision."""
    algo = {**CONFIGS[kind]["algo"], "precision": "fp32"}
    path.write_text(json.dumps({**CONFIGS[kind], "train": {"batch_size": 32}, "algo": algo}))
    return path


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def by_torchrun(file: Path, config: Path, output: Path):
    """`apprentice train` in two processes on this machine, started as users start it."""
    where = ["--master-addr", "127.0.0.1", "--master-port", free_port(), "--local-ranks-filter", "0"]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *where]
    command += ["-m", "apprentice", "train", str(file), "--output", str(output), "--config", str(config)]
    command += ["--steps", str(STEPS), "--log-every", "10", "--save-every", "20", "--device", "cpu"]
    return subprocess.run(
        command, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300
    )


def one_of_them(rank: int, port: str, file: Path, config: Path, output: Path, stop_at: int, said: Any) -> None:
    """What a process that torchrun starts does. The second one is told to stop (Ctrl-C) at a step, if at all."""
    os.environ |= {"WORLD_SIZE": "2", "RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    torch.set_num_threads(1)
    try:
        cfg = TrainCfg(config=config, steps=STEPS, log_every=10, save_every=20, device="cpu")
        train(file, output, cfg, PressCtrlC(stop_at if rank == 1 else -1))
        said.put("done")
    except UserError as error:
        said.put(str(error))


def together(file: Path, config: Path, output: Path, stop_at: int = -1) -> list[str]:
    """The same in two processes that start at once, for all that has been imported before. Returns what they said."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["apprentice.learn.training.train", "apprentice.learn.algorithms.plugins"])
    said, port = processes.Queue(), free_port()
    args = (port, file, config, output, stop_at, said)
    running = [processes.Process(target=one_of_them, args=(rank, *args)) for rank in range(2)]
    for process in running:
        process.start()
    found = [said.get(timeout=300) for _ in running]
    for process in running:
        process.join()
    return found


def weights(output: Path) -> dict[str, torch.Tensor]:
    return torch.load(output / "policy.pth", weights_only=True)["model"]


def test_two_processes_take_the_steps_of_one_and_go_on_as_they_were(file: Path, tmp_path: Path):
    config = settings("chunked_bc", tmp_path / "small.json")
    train(file, tmp_path / "one", TrainCfg(config=config, steps=STEPS, log_every=10, save_every=20, device="cpu"))
    found = by_torchrun(file, config, tmp_path / "two")
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("The policy is") == 1
    for name, value in weights(tmp_path / "one").items():
        torch.testing.assert_close(weights(tmp_path / "two")[name], value, rtol=1e-3, atol=1e-4)
    ours, theirs = (
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("two", "one")
    )
    assert [line["step"] for line in ours] == [line["step"] for line in theirs]
    assert ours[-1]["loss"] == pytest.approx(theirs[-1]["loss"], rel=1e-3)
    # nothing is left but what one process leaves
    assert {path.name for path in (tmp_path / "two").iterdir()} == {path.name for path in (tmp_path / "one").iterdir()}

    # a finished run is answered, and another number of processes is refused
    assert together(file, config, tmp_path / "two") == ["done", "done"]
    (tmp_path / "two" / "policy.pth").unlink()
    with pytest.raises(UserError, match="as many processes as this training began with, 2, found 1"):
        train(file, tmp_path / "two", TrainCfg(config=config, steps=STEPS, device="cpu"))


def test_processes_that_draw_numbers_stop_together_and_go_on_with_their_own(file: Path, tmp_path: Path):
    config = settings("flow", tmp_path / "small.json")
    assert together(file, config, tmp_path / "straight") == ["done", "done"]
    assert all("stopped at step 30 of 60" in said for said in together(file, config, tmp_path / "run", stop_at=30))
    assert together(file, config, tmp_path / "run") == ["done", "done"]
    for name, value in weights(tmp_path / "straight").items():
        assert torch.equal(weights(tmp_path / "run")[name], value), name


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    ranks = Ranks(torch.device("cpu"))
    assert torch.arange(6)[ranks.share(6)].tolist() == [0, 1, 2, 3, 4, 5]
    ranks.count, ranks.rank = 3, 1
    assert torch.arange(6)[ranks.share(6)].tolist() == [1, 4]
    with pytest.raises(UserError, match="3 processes can share evenly, found one of 64"):
        ranks.share(64)
