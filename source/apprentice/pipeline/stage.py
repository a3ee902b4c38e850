"""One step of a run, as the command that a person would give."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apprentice.errors import UserError


@dataclass(kw_only=True, frozen=True)
class Stage:
    """One step of a run. Its command is idempotent: given again, it resumes, or finds that it is done."""

    name: str
    """Name of the command."""
    arguments: tuple[str, ...]
    """What follows it."""

    @property
    def command(self) -> str:
        """What a person would type."""
        return shlex.join(["apprentice", self.name, *self.arguments])

    def run(self) -> None:
        """Give the command, in a process of its own: a process has one simulation.

        Raises:
            UserError: If it fails.
            KeyboardInterrupt: If it was stopped by Ctrl-C.
        """
        code = subprocess.call([sys.executable, "-m", "apprentice", self.name, *self.arguments])
        if code == 130:
            raise KeyboardInterrupt
        if code != 0:
            raise UserError(f"The {self.name} stage failed (see above); the same command goes on from there.")


def read_json(path: Path) -> dict[str, Any]:
    """What a file of the run's own says; empty if there is none."""
    return json.loads(path.read_text()) if path.exists() else {}
