"""Runs all tests: those without a simulator together, each simulator file in a process of its own.

Isaac Lab keeps one simulation per process. Two processes run at a time, which share Warp's compiled kernels on disk.
`python tests/run.py [PATH ...]` runs part of them.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOGETHER = ("unit", "formats")
ALONE = ("sim", "browser", "e2e")
WORKERS = 2
LONGEST_S = 3600
"""After this long a job hangs."""


def main() -> int:
    # shells start what runs in the background deaf to it, and tests of Ctrl-C would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chosen = [Path(argument).resolve() for argument in sys.argv[1:]]
    jobs = [job for job in _jobs() if not chosen or any(_within(path, chosen) for path in job)]
    if chosen:
        jobs = [[path for path in job if _within(path, chosen)] for job in jobs]
    start = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(_run, jobs))
    passed, failed, skipped = (sum(result[1][key] for result in results) for key in ("passed", "failed", "skipped"))
    broken = [result[0] for result in results if result[2] != 0]
    for job in broken:
        print(f"FAILED: {' '.join(str(path.relative_to(ROOT)) for path in job)}")
    print(f"all tests in {time.monotonic() - start:.0f} s")
    failed = max(failed, len(broken))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if broken or skipped or not passed else 0


def _jobs() -> list[list[Path]]:
    together = [sorted((ROOT / "tests" / room).glob("test_*.py")) for room in TOGETHER]
    alone = [path for room in ALONE for path in sorted((ROOT / "tests" / room).glob("test_*.py"))]
    # longest first, so that no processor waits in the end
    return [*together, *[[path] for path in reversed(alone)]]


def _within(path: Path, chosen: list[Path]) -> bool:
    return any(path == place or place in path.parents for place in chosen)


def _run(job: list[Path]) -> tuple[list[Path], dict[str, int], int]:
    start = time.monotonic()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "pytest", *map(str, job)]
    try:
        process = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST_S
        )
    except subprocess.TimeoutExpired as hung:
        print(f"FAILED {' '.join(map(str, job))}: still running after {LONGEST_S} s", (hung.stdout or b"")[-3000:])
        return job, {"passed": 0, "failed": 1, "skipped": 0}, 1
    # pytest's own closing line is folded into ours, so that a reader counts each test once
    lines = process.stdout.rstrip().splitlines()
    closing = lines[-1] if lines else ""
    counts = {
        key: int(found[1]) if (found := re.search(rf"(\d+) {key}", closing)) else 0
        for key in ("passed", "failed", "skipped")
    }
    counts["failed"] += int(found[1]) if (found := re.search(r"(\d+) error", closing)) else 0
    name = str(job[0].relative_to(ROOT)) if len(job) == 1 else f"{len(job)} files in {job[0].parent.name}"
    verdict = "ok    " if process.returncode == 0 else "FAILED"
    print(f"{verdict} {name}: {closing.strip('= ')} ({time.monotonic() - start:.0f} s)")
    if process.returncode != 0:
        print(process.stdout[-12000:], process.stderr[-3000:], sep="\n")
    sys.stdout.flush()
    return job, counts, process.returncode


if __name__ == "__main__":
    sys.exit(main())
