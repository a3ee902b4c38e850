"""Generate demos from source demos."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from apprentice.augment.cfg import AugmentCfg
from apprentice.cli import leave
from apprentice.cli.output import say
from apprentice.cli.progress import drawn
from apprentice.cli.tables import print_report


def main(
    file: tyro.conf.Positional[Path],
    output: Path | None = None,
    cfg: Annotated[tyro.conf.AvoidSubcommands[AugmentCfg], tyro.conf.arg(name="")] = AugmentCfg(),
    retry: bool = True,
    videos: bool = False,
) -> None:
    """Generate demos from segments of source demos, moved to where the objects are; kept only where success holds.

    Stops at whichever of --demos, --hours and --coverage is reached first, or at Ctrl-C. A run that was stopped goes on
    when the same command is given again. The result does not depend on how many environments are stepped together, nor
    on how many processes or machines generate, nor on whether some of them die. Source demos of another arm are used
    where --task names the same task with this one, as far as it can reach.

    Args:
        file: Source demos (HDF5), ours or Isaac Lab's, with subtask signals (`apprentice annotate` writes them).
        output: File for the generated demos; FILE_generated.hdf5 by default.
        cfg: How to generate.
        retry: Try a failed subtask again from a snapshot; otherwise the attempt is given up there.
        videos: Draw videos of typical failures, into FILE.failures/.
    """
    from apprentice.augment.augment import augment
    from apprentice.augment.explain.failures import failures_path

    output = output or Path(f"{file.stem}_generated.hdf5")
    with drawn("Augmenting") as progress:
        result = augment(file, output, cfg if retry else replace(cfg, retry=None), progress)
    stats = result.stats
    for part in stats.get("transfer", {}).get("reach", []):
        say(part["summary"] + ".")
    print_report(stats)
    if stats["attempts"]:
        say(f"{stats['successes_per_hour']:.0f} successes an hour.")
    say(f"Demos in {result.output}, numbers in {result.output}.stats.json.")
    failures = failures_path(result.output)
    if failures.exists():
        folder = failures.with_suffix("")
        arguments = ["render", str(failures), "--output", str(folder), "--videos"]
        if videos:
            # a process has one simulation, and this one has had it
            subprocess.call([sys.executable, "-m", "apprentice", *arguments])
        else:
            say(f"Failed tries to look at in {failures}: `apprentice {shlex.join(arguments)}` draws them.")
    if result.interrupted:
        say("Stopped before the goal was reached; the same command goes on from here.")
    leave(130 if result.interrupted else 0)
