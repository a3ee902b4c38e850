"""Kills recording, augmentation and training at random moments, and looks for anything lost.

    python benchmarks/kill.py [--times 50] [--stages record augment train] [--json FILE]

After every `kill -9` each file must open, with plain h5py too, and hold every demo it held before, unchanged. When the
killing is over, the same command must finish; augmentation and training with the very demos and weights of a run that
was never killed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py

from apprentice.demos import Demo, DemoFile

TASK = "Apprentice-Stack-Franka"
START_UP_KILLS = 0.15
"""Share of kills while the process still starts; the others come when it is at work."""
LONGEST_WAIT_S = 240.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=50, help="kills per stage")
    parser.add_argument("--stages", nargs="+", default=["record", "augment", "train"])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    result: dict[str, int | float] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source = work / "source.hdf5"
        _finish(_record(source, 10))
        for stage in arguments.stages:
            start = time.monotonic()
            kills, lost = _STAGES[stage](work, source, arguments.times)
            result[f"{stage}_kills"], result[f"{stage}_lost"] = kills, lost
            print(f"{stage}: {kills} kills, {lost} lost or changed, {time.monotonic() - start:.0f} s", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))
    if any(value for key, value in result.items() if key.endswith("_lost")):
        sys.exit(1)


def _record(output: Path, demos: int) -> list[str]:
    return ["record", TASK, "--device", "scripted", "--demos", str(demos), "--seed", "5", "--output", str(output)]


def _augment(source: Path, output: Path, demos: int) -> list[str]:
    return ["augment", str(source), "--demos", str(demos), "--seed", "5", "--num-envs", "16", "--output", str(output)]


def _train(source: Path, output: Path, steps: int) -> list[str]:
    return ["train", str(source), "--output", str(output), "--steps", str(steps), "--save-every", "20", "--seed", "5"]


def _kill_recording(work: Path, source: Path, times: int) -> tuple[int, int]:
    file = work / "killed_record.hdf5"
    # episodes that were under way when the power went are not driven again: new ones begin
    return _kill_store(file, lambda demos: _record(file, demos), None, times)


def _kill_augmentation(work: Path, source: Path, times: int) -> tuple[int, int]:
    file, reference = work / "killed_augment.hdf5", work / "reference_augment.hdf5"
    return _kill_store(
        file, lambda demos: _augment(source, file, demos), lambda demos: _augment(source, reference, demos), times
    )


def _kill_store(
    file: Path, command: Callable[[int], list[str]], reference: Callable[[int], list[str]] | None, times: int
) -> tuple[int, int]:
    goal = 4 * times + 20
    lost, before = 0, dict[str, str]()
    for _ in range(times):
        _kill_at_random(command(goal), lambda held=before: count(file) > len(held))
        after = contents(file)
        lost += sum(after.get(name) != content for name, content in before.items())
        before = after
    done = max(goal, len(before))
    _finish(command(done))
    finished = contents(file)
    lost += done - len(finished) + sum(finished.get(name) != content for name, content in before.items())
    if reference is not None:
        _finish(reference(done))
        uninterrupted = contents(Path(reference(done)[-1]))
        lost += sum(finished.get(name) != content for name, content in uninterrupted.items())
    return times, lost


def _kill_training(work: Path, source: Path, times: int) -> tuple[int, int]:
    output, reference = work / "killed_train", work / "reference_train"
    steps = 60 * times + 200
    lost = 0
    for _ in range(times):
        log = output / "log.jsonl"
        size = log.stat().st_size if log.exists() else 0
        _kill_at_random(
            _train(source, output, steps), lambda log=log, size=size: log.exists() and log.stat().st_size > size
        )
    _finish(_train(source, output, steps))
    _finish(_train(source, reference, steps))
    lost += _weights(output / "policy.pth") != _weights(reference / "policy.pth")
    return times, int(lost)


_STAGES = {"record": _kill_recording, "augment": _kill_augmentation, "train": _kill_training}


def _kill_at_random(command: list[str], at_work: Callable[[], bool]) -> None:
    process = _start(command)
    deadline = time.monotonic() + LONGEST_WAIT_S
    if random.random() < START_UP_KILLS:
        deadline = time.monotonic() + random.uniform(0.1, 12.0)
    while process.poll() is None and time.monotonic() < deadline and not at_work():
        time.sleep(0.1)
    if process.poll() is None:
        time.sleep(random.uniform(0.0, 1.5))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "apprentice", *command],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _finish(command: list[str]) -> None:
    subprocess.run([sys.executable, "-m", "apprentice", *command], check=True, stdout=subprocess.DEVNULL)


def contents(file: Path) -> dict[str, str]:
    """Name and hash of every demo. The file itself must open with plain h5py, whatever else there is beside it."""
    if file.exists():
        with h5py.File(file) as plain:
            assert "data" in plain
    if not file.exists() and not file.with_name(file.name + ".parts").exists():
        return {}
    with DemoFile(file) as demos:
        return {name: _digest(demos.read(name)) for name in demos.names}


def _digest(demo: Demo) -> str:
    """Of all arrays of a demo."""
    digest = hashlib.sha256(demo.actions.tobytes())
    for key in sorted(demo.data):
        digest.update(key.encode() + demo.data[key].tobytes())
    return digest.hexdigest()


def count(file: Path) -> int:
    """Demos that are there, without reading them: this is asked while the command is at work."""
    if not file.exists() and not file.with_name(file.name + ".parts").exists():
        return 0
    with DemoFile(file) as demos:
        return len(demos)


def _weights(policy: Path) -> str:
    import torch

    tensors = torch.load(policy, map_location="cpu", weights_only=False)["model"]
    digest = hashlib.sha256()
    for value in _flat(tensors):
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _flat(tree: object) -> list:
    import torch

    if isinstance(tree, torch.Tensor):
        return [tree]
    return [leaf for key in sorted(tree) for leaf in _flat(tree[key])] if isinstance(tree, dict) else []


if __name__ == "__main__":
    main()
