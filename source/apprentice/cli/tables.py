"""Tables that commands end with."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

_MOST_OWED = 3
"""Cells without a success that are told."""


def report_table(stats: dict[str, Any]) -> RenderableType:
    """What a run of augmentation amounts to: its subtasks with their tries and causes of failure, then the totals.

    Args:
        stats: As in FILE.stats.json.
    """
    table = _table("subtask", "tries", "per attempt", "reached its end", "sources", "the worst of them")
    causes = _table("subtask", "failed tries", "cause", "meaning")
    for row in stats["subtasks"]:
        reached = sum(source["reached"] for source in row["sources"].values())
        tries = sum(source["tries"] for source in row["sources"].values())
        share = f"{reached} ({100 * reached / tries:.1f} %)" if tries else "-"
        each = f"{row['tries'] / stats['attempts']:.2f}" if stats["attempts"] else "-"
        table.add_row(row["name"], str(row["tries"]), each, share, str(len(row["sources"])), _worst(row["sources"]))
        for one in row["causes"]:
            causes.add_row(row["name"], str(one["tries"]), one["cause"], one["means"])
    parts: list[RenderableType] = [table]
    if causes.row_count:
        parts += ["", causes]
    return Group(*parts, "", *(Text(line) for line in _totals(stats)))


def print_report(stats: dict[str, Any]) -> None:
    """Write the table to the terminal."""
    Console(soft_wrap=False).print(report_table(stats))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        numbers = name in ("tries", "per attempt", "failed tries", "sources")
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    return table


def _worst(sources: dict[str, dict[str, int]]) -> str:
    """The source demo whose segments reached the end least often."""
    name, worst = min(
        sources.items(),
        key=lambda item: item[1]["reached"] / item[1]["tries"],
        default=("", {"reached": 0, "tries": 0}),
    )
    return f"{name}, {worst['reached']} of {worst['tries']}" if worst["reached"] < worst["tries"] else "-"


def _totals(stats: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    if stats["attempts"]:
        low, high = stats["dgr_interval_95"]
        lines.append(
            f"Data generation rate: {stats['successes']} held successes of {stats['attempts']} attempts, "
            f"{100 * stats['dgr']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]."
        )
    if failed := stats.get("attempt_causes"):
        why = "; ".join(f"{one['subtask']} {one['cause']} {one['attempts']}" for one in failed)
        lines.append(f"Why attempts failed: {why}.")
    if steps := stats.get("sim_steps_per_success"):
        lines.append(f"Simulated: {steps:.0f} control steps for each success, discarded tries included.")
    if (coverage := stats.get("coverage")) and coverage["share"] is not None:
        lines.append(
            f"Coverage: successes in {coverage['filled']} of the {coverage['visited']} cells of the reset distribution "
            f"that attempts visited, {100 * coverage['share']:.1f} %."
        )
        owed = [f"{_where(one['bounds'])}: {one['attempts']} attempts" for one in coverage["owed"][:_MOST_OWED]]
        if owed:
            lines.append(f"Cells without a success, most attempts first: {'; '.join(owed)}.")
    return lines


def _where(bounds: dict[str, tuple[float, float]]) -> str:
    return ", ".join(f"{name} {low:.2f} to {high:.2f}" for name, (low, high) in bounds.items())
