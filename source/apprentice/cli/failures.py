"""Say what the failures of an evaluation have in common."""

from __future__ import annotations

from pathlib import Path

from tyro.conf import Positional

from apprentice.cli.output import say

MOST_GROUPS = 6
"""Ways to fail that are spoken of; the page has all."""


def main(evaluation: Positional[Path], demos: Path | None = None) -> None:
    """Say from where and how a policy failed, and where its failures first left the way of the demos.

    Writes `failures.json` and `failed_states.hdf5` into the folder of the evaluation, and draws its page again.

    Args:
        evaluation: Folder of a finished evaluation.
        demos: Demo file to hold the failures against, usually the one that the policy was trained on.
    """
    from apprentice.evaluate.failures import explain
    from apprentice.report import build_report

    found = explain(evaluation, demos)
    say(f"{found['failures']} of {found['rollouts']} rollouts failed. {found['initial_states']['sentence']}")
    if divergence := found["divergence"]:
        say(divergence["initial_distance"]["sentence"])
        say(f"Where they first left the demos, by what is usual of {divergence['usual_of']}:")
        for group in divergence["groups"][:MOST_GROUPS]:
            say(f"  {group['rollouts']} {group['sentence']}")
        if rest := sum(group["rollouts"] for group in divergence["groups"][MOST_GROUPS:]):
            say(f"  {rest} in other ways")
    say(f"Page: {build_report(evaluation)}")
