"""Train a policy from a demo file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from apprentice.cli.output import say
from apprentice.cli.progress import drawn
from apprentice.learn.cfg import CHECKPOINT_RULE, TrainCfg


def main(
    file: tyro.conf.Positional[Path], output: Path, cfg: Annotated[TrainCfg, tyro.conf.arg(name="")] = TrainCfg()
) -> None:
    """Train a policy. A run that was stopped goes on when the same command is given again.

    Args:
        file: Demo file (HDF5): ours, Isaac Lab's or Robomimic's.
        output: Folder for the policy, the log and the training state.
        cfg: How to train.
    """
    from apprentice.demos import require_readable

    require_readable(file)
    from apprentice.learn.training.train import train

    with drawn("Training") as progress:
        result = train(file, output, cfg, progress)
    for notice in result.notices:
        say(f"note: {notice}")
    held_out = f", {result.valid_loss:.4f} on held-out demos" if result.valid_loss is not None else ""
    say(
        f"{result.algo}: {result.steps} steps on {result.demos} demos in {result.seconds:.0f} s "
        f"({result.steps_per_s:.0f} steps/s), loss {result.loss:.4f}{held_out}."
    )
    say(f"The policy is {result.policy}: {CHECKPOINT_RULE}.")
