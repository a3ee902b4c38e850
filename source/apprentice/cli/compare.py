"""Compare two evaluations on the same initial states."""

from __future__ import annotations

import json as json_format
from pathlib import Path

from tyro.conf import Positional

from apprentice.cli.output import say


def main(first: Positional[Path], second: Positional[Path], json: Path | None = None) -> None:
    """Say whether two evaluations of the same initial states show a difference, and how large it may be.

    Args:
        first: Folder of an evaluation.
        second: Folder of another one, with the same seeds.
        json: Write the numbers to this file too.
    """
    from apprentice.evaluate.compare import compare

    result = compare(first, second)
    for name, evaluation in ((first, result.first), (second, result.second)):
        low, high = evaluation.interval_95
        say(
            f"{name}: {evaluation.successes}/{evaluation.rollouts} held successes, "
            f"{100 * evaluation.success_rate:.1f} % [{100 * low:.1f}, {100 * high:.1f}] on {evaluation.backend}"
        )
    say(result.paired.sentence(str(first), str(second)))
    if json is not None:
        json.write_text(json_format.dumps(result.paired.as_dict(), indent=1))
