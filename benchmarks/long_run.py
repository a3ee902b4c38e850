"""Many demos in one file, by a run that is killed on the way: what it takes, and whether the kills can be seen in it.

    python benchmarks/long_run.py [SOURCE] [--demos 10000] [--kills 3] [--workers 2] [--twin] [--json FILE]

`apprentice augment` is killed (`kill -9` of everything that it started) when a random share of the demos is there, and
started again with the same command. Memory is the proportional share (PSS) of all its processes together, sampled every
two seconds. With `--twin` the same command then runs without being killed, and every demo of both is compared.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from kill import contents, count
from stages import stack_source

SAMPLE_S = 2.0


class Watched:
    """A command, its processes and their memory."""

    def __init__(self, command: list[str], log: Path) -> None:
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "apprentice", *command], start_new_session=True, stdout=out, stderr=out
            )
        self.peak_mb = 0.0

    def family(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        return []

    def sample(self) -> None:
        total = 0
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
        self.peak_mb = max(self.peak_mb, total / 2**20)

    def kill(self) -> None:
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.wait()


def generate(command: list[str], output: Path, stops: list[int], log: Path) -> tuple[float, float]:
    """Run to the end, killed when so many demos are there. Seconds, and peak memory in MB."""
    began, peak = time.monotonic(), 0.0
    for stop in [*stops, None]:
        run = Watched(command, log)
        while run.process.poll() is None:
            time.sleep(SAMPLE_S)
            run.sample()
            if stop is not None and count(output) >= stop:
                run.kill()
        peak = max(peak, run.peak_mb)
        if stop is None and run.process.returncode:
            raise SystemExit(f"The command failed; its last words:\n{log.read_text()[-2000:]}")
        print(f"{count(output)} demos after {time.monotonic() - began:.0f} s, at most {peak:.0f} MB", flush=True)
    return time.monotonic() - began, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", type=Path, help="source demos with subtask signals; default: recorded")
    parser.add_argument("--demos", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--twin", action="store_true", help="run it again without kills, and compare")
    parser.add_argument("--folder", type=Path, help="where to leave the files; else they are deleted")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    args.source = stack_source(args.source)
    stops = sorted(random.Random(args.seed).sample(range(args.demos // 20, args.demos), args.kills))
    command = ["augment", str(args.source), "--demos", str(args.demos), "--seed", str(args.seed)]
    command += ["--workers", str(args.workers)]
    with contextlib.ExitStack() as stack:
        folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        killed, twin = folder / "killed.hdf5", folder / "twin.hdf5"
        print(f"Kills at {stops} demos.", flush=True)
        seconds, peak = generate([*command, "--output", str(killed)], killed, stops, folder / "killed.log")
        result = {"demos": count(killed), "kills": args.kills, "seconds": seconds, "peak_mb": peak}
        result["file_mb"] = killed.stat().st_size / 2**20
        if args.twin:
            result["twin_seconds"], result["twin_peak_mb"] = generate(
                [*command, "--output", str(twin)], twin, [], folder / "twin.log"
            )
            mine, other = contents(killed), contents(twin)
            result["differing"] = sum(mine.get(name) != other.get(name) for name in mine | other)
    for key, value in result.items():
        print(f"{key:16}{value:12.0f}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))
    if result.get("differing"):
        sys.exit(1)


if __name__ == "__main__":
    main()
