"""Record source demos of a task."""

from __future__ import annotations

from pathlib import Path

from tyro.conf import OmitArgPrefixes, Positional

from apprentice.cli import leave
from apprentice.cli.output import say
from apprentice.cli.progress import drawn
from apprentice.record.cfg import RecordCfg


def main(task: Positional[str], output: Path, cfg: OmitArgPrefixes[RecordCfg] = RecordCfg()) -> None:  # noqa: B008
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
