"""Compare evaluations on the same initial states."""

from __future__ import annotations

import json as json_format
from pathlib import Path

from tyro.conf import Positional

from apprentice.cli.output import say
from apprentice.errors import UserError

MOST_SENTENCES = 10
"""Pairs that are spoken of one by one."""


def main(evaluations: Positional[tuple[Path, ...]], output: Path | None = None, json: Path | None = None) -> None:
    """Say which of several evaluations of the same initial states differ, and by how much.

    Evaluations of one recipe that was trained with several seeds are recognised and taken together.

    Args:
        evaluations: Folders of two or more evaluations with the same seeds.
        output: Folder for `comparison.json` and the page `report.html`.
        json: Of two evaluations: write the numbers of their difference to this file too.
    """
    from apprentice.evaluate.compare import compare, write

    if json is not None and len(evaluations) != 2:
        raise UserError(f"Expected two evaluations with --json, found {len(evaluations)}; give --output instead.")
    result = compare(evaluations)
    for entry in result.entries:
        found = entry.evaluation
        low, high = found.interval_95
        say(
            f"{entry.name}: {found.successes}/{found.rollouts} held successes, "
            f"{100 * found.success_rate:.1f} % [{100 * low:.1f}, {100 * high:.1f}] on {found.backend}"
        )
    for recipe in result.recipes:
        low, high = recipe.aggregate.interval
        say(
            f"{recipe.name}, trained {len(recipe.entries)} times: interquartile mean "
            f"{100 * recipe.aggregate.interquartile_mean:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
        )
    told = result.pairs if len(result.pairs) <= MOST_SENTENCES else ()
    for pair in (*told, *result.recipe_pairs):
        say(pair.sentence)
    if not told:
        differ = sum(pair.verdict != "undecided" for pair in result.pairs)
        say(f"{differ} of {len(result.pairs)} pairs of policies differ; give --output to see which.")
    if json is not None:
        json.write_text(json_format.dumps(result.pairs[0].paired.as_dict(), indent=1))
    if output is not None:
        from apprentice.report import build_report

        write(result, output)
        say(f"Wrote {build_report(output)}")
