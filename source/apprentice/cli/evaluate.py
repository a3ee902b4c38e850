"""Measure how often a policy succeeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from apprentice.cli import leave
from apprentice.cli.output import say
from apprentice.cli.progress import drawn
from apprentice.pipeline.evaluation import EvaluationCfg, evaluate_checkpoint


def main(
    policy: tyro.conf.Positional[Path],
    output: Path,
    suite: str | None = None,
    cfg: Annotated[EvaluationCfg, tyro.conf.arg(name="")] = EvaluationCfg(),
) -> None:
    """Play a policy from fixed initial states and report its success rate with a 95 % interval.

    A success is held: the task's success term is true for several control steps in a row. An evaluation that was
    stopped goes on when the same command is given again.

    Args:
        policy: Folder that `apprentice train` wrote, or a Robomimic checkpoint.
        output: Folder for the results.
        suite: Play under many conditions: robustness (all), recovery, variants, engines, or a YAML file of conditions.
        cfg: How to evaluate.
    """
    if suite is not None:
        _play_suite(policy, output, suite, cfg)
        return
    with drawn("Evaluating") as progress, drawn("Drawing videos") as drawing:
        result = evaluate_checkpoint(policy, output, cfg, progress, drawing)
    low, high = result.interval_95
    say(
        f"{result.successes}/{result.rollouts} held successes: {100 * result.success_rate:.1f} % "
        f"[{100 * low:.1f}, {100 * high:.1f}] on {result.task}, "
        f"{result.backend}, {result.env_steps_per_s:.0f} env-steps/s."
    )
    if result.clear_of is not None:
        answer = (
            f"{result.clear} {100 * result.clear_of:g} %"
            if result.clear
            else f"not clear of {100 * result.clear_of:g} %"
        )
        say(f"The success rate is {answer} after {result.rollouts} of at most {result.asked} rollouts.")
    for part in result.per_kind:
        low, high = part["interval_95"]
        say(
            f"  from {part['kind']}: {part['successes']}/{part['rollouts']}, {100 * part['success_rate']:.1f} % "
            f"[{100 * low:.1f}, {100 * high:.1f}]"
        )
    for part in result.per_subtask:
        if part["failures"]:
            say(f"  {part['failures']} of {part['entered']} failed at {part['subtask']}")
    from apprentice.evaluate.failures import read
    from apprentice.report import build_report

    if (found := read(output)) and found["failures"]:
        say(found["initial_states"]["sentence"])
        say(f"Where failures left the demos: apprentice failures {output} --demos FILE")
    say(f"Results in {output}; page: {build_report(output)}")
    leave()


def _play_suite(policy: Path, output: Path, suite: str, cfg: EvaluationCfg) -> None:
    from apprentice.pipeline.suite import evaluate_suite

    with drawn("Evaluating") as progress:
        found = evaluate_suite(policy, output, suite, cfg, progress)
    for row in found["conditions"]:
        if "not_evaluated" in row:
            say(f"{row['name']}: not evaluated, {row['not_evaluated']}")
            continue
        low, high = row["interval_95"]
        text = f"{row['name']}: {row['successes']}/{row['rollouts']}, {100 * row['success_rate']:.1f} % "
        text += f"[{100 * low:.1f}, {100 * high:.1f}]"
        if paired := row.get("against_nominal"):
            below, above = paired["interval"]
            text += f"; {100 * paired['difference']:+.1f} points [{100 * below:+.1f}, {100 * above:+.1f}]"
            text += "" if paired["verdict"] == "undecided" else f", {paired['verdict']}"
        say(text)
        for reason, rollouts in row["not_counted"].items():
            say(f"  {rollouts} not counted: {reason}")
    say(f"Results in {output}; the page is {output / 'report.html'}.")
    leave()
