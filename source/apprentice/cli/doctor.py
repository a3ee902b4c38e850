"""Say what this machine can do, and what to install."""

from __future__ import annotations

from apprentice.cli.output import say


def main(fix: bool = False) -> None:
    """Say in one table what this machine can do, and what to install for the rest.

    Args:
        fix: Install Robomimic the way that needs no compiler: without its own requirement egl-probe. And open the
            simulator once, so that what it compiles on first use is there.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from apprentice.pipeline.diagnosis import diagnose, install_robomimic

    if fix:
        from apprentice.pipeline.warm_up import warm_up

        install_robomimic(say)
        warm_up(say)
    table = Table(box=None, pad_edge=False)
    for column in ("", "what", "found", "to do"):
        table.add_column(column, overflow="fold")
    marks = {"ok": "[green]ok[/green]", "missing": "[red]no[/red]", "optional": "[dim]-[/dim]"}
    facts = diagnose()
    for fact in facts:
        table.add_row(marks[fact.status], fact.what, escape(fact.found), escape(fact.advice))
    Console().print(table)
    for file in dict.fromkeys(fact.file for fact in facts if fact.file):
        say(f"\n{file}")
    if any(fact.status == "missing" for fact in facts):
        raise SystemExit(1)
