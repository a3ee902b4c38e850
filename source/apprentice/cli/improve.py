"""Improve a policy where it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from apprentice.cli.output import say
from apprentice.pipeline.improve_cfg import ImproveCfg


def main(
    source: tyro.conf.Positional[Path],
    demos: tyro.conf.Positional[Path],
    output: Path,
    cfg: Annotated[ImproveCfg, tyro.conf.arg(name="")] = ImproveCfg(),
) -> None:
    """Train, evaluate, generate demos from where the policy went wrong, and train again, until a goal or a budget.

    Every round is a folder with its demos, policy and rollouts; improve.json says what each brought. The policy is that
    of the last round, and is evaluated on initial states that no round played from. The same command goes on where it
    was stopped.

    Args:
        source: Source demos (HDF5) with subtask signals.
        demos: Demos generated from them, for the first round.
        output: Folder for the results.
        cfg: When to stop, and what each round does.
    """
    from apprentice.demos import require_readable
    from apprentice.pipeline.improve import improve

    for file in (source, demos):
        require_readable(file)
    improve(source, demos, output, cfg, say)
