"""Stages of the long benchmarks: commands of `apprentice`, each of which keeps what it finished."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STACK = "Apprentice-Stack-Franka"
MADE = Path("runs/bench")
"""Where demos are kept that were not given."""


@dataclass(frozen=True)
class Stages:
    """Runs commands and writes what they say to `log.txt`: two may speak at once."""

    folder: Path
    """Holds the log, and what the stages make."""

    def apprentice(self, *arguments: Any, may_fail: bool = False) -> None:
        """An `apprentice` command; raises `subprocess.CalledProcessError` if it fails."""
        self.python("-m", "apprentice", *arguments, may_fail=may_fail)

    def recorded(self, task: str, file: Path, seed: int) -> Path:
        """Ten demos of the scripted operator; what was stopped goes on."""
        if not file.exists() or _demos_in(file) < 10:
            how = ["--device", "scripted", "--demos", 10, "--seed", seed]
            self.apprentice("record", task, *how, "--output", file)
        return file

    def python(self, *arguments: Any, may_fail: bool = False) -> None:
        """A Python command; raises `subprocess.CalledProcessError` if it fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        print(f"{time.strftime('%H:%M:%S')} $", *arguments, flush=True)
        with (self.folder / "log.txt").open("a") as log:
            subprocess.run(
                [sys.executable, *map(str, arguments)],
                check=not may_fail,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )


def _demos_in(file: Path) -> int:
    from apprentice.demos import DemoFile

    with DemoFile(file) as demos:
        return len(demos.names)


def stack_source(given: Path | None) -> Path:
    """The file that was given, or ten demos of the Franka cube stack by the scripted operator."""
    return given or Stages(MADE).recorded(STACK, MADE / "source.hdf5", seed=1)


def stack_demos(given: Path | None) -> Path:
    """The file that was given, or 1,000 demos generated from those of the scripted operator."""
    if given:
        return given
    Stages(MADE).apprentice("augment", stack_source(None), "--demos", 1000, "--output", MADE / "demos.hdf5")
    return MADE / "demos.hdf5"
