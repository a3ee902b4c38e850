"""Look for what is wrong with a demo file."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path

from tyro.conf import Positional

from apprentice.cli.progress import drawn


def main(file: Positional[Path], json: Path | None = None) -> None:
    """Look for what is wrong with a demo file: schema, NaN, lengths, frozen or jumping signals, duplicates, masks.

    Exits with 1 if the file can't be used as it is.

    Args:
        file: The demo file (HDF5).
        json: Write the findings to this file too.
    """
    from rich.console import Console
    from rich.markup import escape

    from apprentice.demos import check_file

    with drawn("Checking") as progress:
        report = check_file(file, progress=progress)
    if json is not None:
        json.write_text(json_format.dumps([asdict(finding) for finding in report.findings], indent=1))
    console = Console(soft_wrap=True)
    colours = {"error": "red", "warning": "yellow", "info": "dim"}
    for finding in report.findings:
        place = " ".join(part for part in (finding.demo, finding.key) if part)
        colour = colours[finding.severity]
        console.print(
            f"[{colour}]{finding.severity}[/{colour}] {escape(place + ': ' if place else '')}{escape(finding.message)}"
        )
    console.print(
        f"{file}: task {report.task or 'not named'}, {report.demos} demos, {report.steps} steps, {report.successes} "
        f"successes; {report.count('error')} errors, {report.count('warning')} warnings."
    )
    if not report.ok:
        raise SystemExit(1)
