"""Record source demos of a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from apprentice.cli import leave
from apprentice.cli.output import say
from apprentice.cli.progress import drawn
from apprentice.record.cfg import RecordCfg


def main(
    task: tyro.conf.Positional[str], output: Path, cfg: Annotated[RecordCfg, tyro.conf.arg(name="")] = RecordCfg()
) -> None:
    """Record source demos of a task. Running the same command again goes on to the number of demos asked for.

    Args:
        task: Id of an Isaac Lab Mimic task, see `apprentice tasks`.
        output: Demo file (HDF5).
        cfg: How to record.
    """
    from apprentice.record.recorder import record

    with drawn("Recording") as progress:
        result = record(task, output, cfg, progress)
    say(f"{result.demos} demos in {output} ({result.saved} new, {result.discarded} discarded).")
    leave()
