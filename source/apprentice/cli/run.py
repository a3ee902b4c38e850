"""Record, augment, train, evaluate and report, as a configuration file says."""

from __future__ import annotations

from pathlib import Path

from tyro.conf import Positional

from apprentice.cli.output import say


def main(config: Positional[Path], output: Path | None = None, new: bool = False) -> None:
    """Run the whole loop of a configuration file. What is already there is not done again.

    Args:
        config: YAML file, see `config/` for examples.
        output: Folder for the results; by default runs/NAME of the configuration.
        new: Start a new run beside an old one (runs/NAME-2, ...) instead of resuming it.
    """
    from apprentice.pipeline import load_config, run_pipeline

    run_pipeline(load_config(config), output, new=new, say=say)
