"""List the Isaac Lab tasks that run on this machine, and what the others miss."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path

from apprentice.cli.progress import drawn


def main(all: bool = False, json: Path | None = None) -> None:
    """List the Isaac Lab tasks that run on this machine, and what the others miss.

    Args:
        all: Also list the tasks that run on no backend here, with the reason.
        json: Write the list to this file too.
    """
    from rich.console import Console
    from rich.table import Table

    from apprentice.tasks.listing import LISTED_BACKENDS, list_tasks

    with drawn("Reading task configurations") as progress:
        listings = list_tasks(progress)
    if json is not None:
        json.write_text(json_format.dumps([asdict(listing) for listing in listings], indent=1))
    table = Table(box=None, pad_edge=False)
    table.add_column("task", overflow="fold")
    table.add_column("augment")
    for backend in LISTED_BACKENDS:
        table.add_column(backend)
    table.add_column("why not", overflow="fold")
    for listing in listings:
        if listing.backends or all:
            runs = ["yes" if backend in listing.backends else "-" for backend in LISTED_BACKENDS]
            table.add_row(listing.id, "yes" if listing.mimic else "-", *runs, listing.reason)
    console = Console()
    console.print(table)
    runnable = sum(bool(listing.backends) for listing in listings)
    console.print(
        f"{runnable} of {len(listings)} tasks run here."
        + ("" if all else " `apprentice tasks --all` says what the others miss.")
    )
