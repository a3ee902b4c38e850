"""Draw the page of a run again from its result files."""

from __future__ import annotations

from pathlib import Path

from tyro.conf import Positional

from apprentice.cli.output import say


def main(run: Positional[Path]) -> None:
    """Draw `report.html` of a run from its result files.

    Args:
        run: Folder of the run, as `apprentice run` wrote it.
    """
    from apprentice.report import build_report

    say(f"Wrote {build_report(run)}")
