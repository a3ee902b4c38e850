"""Look at a task from all sides before demos of it are recorded."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import tyro

from apprentice.cli import leave
from apprentice.cli.progress import drawn
from apprentice.pipeline.task_checks.check import Check, CheckTaskCfg


def main(
    task: tyro.conf.Positional[str],
    json: Path | None = None,
    cfg: Annotated[CheckTaskCfg, tyro.conf.arg(name="")] = CheckTaskCfg(),
) -> None:
    """Test a task: resets, signals, action maps, reach, success of the scripted operator, determinism, speed.

    Says in plain words what is wrong and what to do about it. Exits with 1 if anything has to be mended.

    Args:
        task: Id of an Isaac Lab Mimic task, see `apprentice tasks`.
        json: Write the findings to this file too.
        cfg: How closely to look.
    """
    from rich.console import Console
    from rich.markup import escape

    from apprentice.pipeline.check_task import check_task

    console = Console(soft_wrap=True)
    marks = {"ok": "[green]ok[/green]     ", "problem": "[red]problem[/red]", "note": "[dim]note[/dim]   "}
    found: list[Check] = []
    with drawn("Checking") as progress:
        for check in check_task(task, cfg, progress):
            found.append(check)
            console.print(f"{marks[check.status]} {escape(check.what)}: {escape(check.found)}")
            if check.advice:
                console.print(f"        [dim]{escape(check.advice)}[/dim]")
    if json is not None:
        json.write_text(json_format.dumps([asdict(check) for check in found], indent=1))
    problems = sum(check.status == "problem" for check in found)
    console.print(f"{task}: {len(found)} checks, {problems} problems.")
    leave(1 if problems else 0)
