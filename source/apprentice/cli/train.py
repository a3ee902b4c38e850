"""Train a policy from a demo file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from apprentice.cli import leave
from apprentice.cli.output import say
from apprentice.cli.progress import drawn
from apprentice.learn.cfg import CHECKPOINT_RULE, STOPPING_RULE
from apprentice.pipeline.training import TrainingCfg, train_policy


def main(
    file: tyro.conf.Positional[Path],
    output: Path,
    sweep: Path | None = None,
    cfg: Annotated[TrainingCfg, tyro.conf.arg(name="")] = TrainingCfg(),
) -> None:
    """Train a policy. A run that was stopped goes on when the same command is given again.

    Args:
        file: Demo file (HDF5): ours, Isaac Lab's or Robomimic's.
        output: Folder for the policy, the log and the training state.
        sweep: Search for good settings: a YAML file that says which (docs/training.md).
        cfg: How to train.
    """
    from apprentice.demos import require_readable

    require_readable(file)
    if sweep is not None:
        _search(file, output, sweep, cfg)
        leave()
    with drawn("Training") as progress, drawn("Playing") as playing:
        result = train_policy(file, output, cfg, progress, playing)
    for notice in result.notices:
        say(f"note: {notice}")
    held_out = f", {result.valid_loss:.4f} on held-out demos" if result.valid_loss is not None else ""
    say(
        f"{result.algo}: {result.steps} steps on {result.demos} demos in {result.seconds:.0f} s "
        f"({result.steps_per_s:.0f} steps/s), loss {result.loss:.4f}{held_out}."
    )
    say(f"The policy is {result.policy}: {STOPPING_RULE if result.stopped else CHECKPOINT_RULE}.")
    if cfg.evaluate_every:
        leave()


def _search(file: Path, output: Path, path: Path, cfg: TrainingCfg) -> None:
    from apprentice.pipeline.sweep import BEST, RESULTS, sweep
    from apprentice.pipeline.sweep_cfg import SECTIONS, load_sweep

    asked = load_sweep(path)
    with drawn("Searching") as progress:
        results = sweep(file, output, cfg, asked, progress)
    best = results["best"]
    for key, value in best["params"].items():
        say(f"  {key} = {value}")
    count, value = len(results["trials"]), best[asked.objective]
    say(f"Best of {count} trials: number {best['number']}, {asked.objective} {value:.4g}.")
    options = " ".join(
        f"--{key.replace('_', '-')} {value}" for key, value in best["params"].items() if not key.startswith(SECTIONS)
    )
    say(f"All trials are in {output / RESULTS}. Train from the best with --config {output / BEST} {options}".rstrip())
