"""Draw the page of a run again from its result files."""

from __future__ import annotations

from pathlib import Path

from tyro.conf import Positional

from apprentice.cli.output import say


def main(run: Positional[Path]) -> None:
    """Draw the page of a run from its result files: `report.html`, or FILE.report.html of a generated demo file.

    Args:
        run: Folder of the run, as `apprentice run` wrote it, or a demo file that `apprentice augment` wrote.
    """
    from apprentice.report import build_report

    say(f"Wrote {build_report(run)}")
