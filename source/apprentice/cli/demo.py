"""The whole loop on the cube stack."""

from __future__ import annotations

from pathlib import Path

from apprentice.cli.output import say


def main(output: Path = Path("runs/demo"), new: bool = False) -> None:
    """Ten source demos, a thousand generated ones, a policy and a hundred rollouts on the Franka cube stack.

    Takes some minutes on two processor cores. Running it again resumes what is unfinished; nothing is overwritten.

    Args:
        output: Folder for the results.
        new: Start a new run beside an old one (runs/demo-2, ...) instead of resuming it.
    """
    from apprentice.pipeline import PipelineCfg, run_pipeline

    # config/franka_stack.yaml says the same
    run_pipeline(PipelineCfg(name="demo"), output, new=new, say=say)
