"""Videos of rollouts, inside the page."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

from apprentice.report.fields import Json, number_in, text_in
from apprentice.report.page import grid, missing
from apprentice.report.results import RunResults
from apprentice.report.words import plural

VIDEO_BYTES = 4_000_000
"""Videos embedded in a page at most, so that it stays easy to send."""


def videos(run: RunResults) -> str:
    """Failures, then successes; of too many the smallest, as many as the page may hold."""
    if not run.videos:
        return missing("No videos of rollouts in this run.")
    rows = {int(row["index"]): row for row in run.rollouts if number_in(row, "index") is not None}
    shown, left_out = _that_fit(run.videos)
    groups: dict[str, list[str]] = {"failure": [], "success": []}
    for path in shown:
        outcome = "success" if path.name.startswith("success") else "failure"
        groups[outcome].append(_video(path, outcome, rows))
    text = ""
    for outcome, heading in (("failure", "Failures"), ("success", "Successes")):
        if groups[outcome]:
            text += f'<h3 class="group">{heading}</h3>' + grid(groups[outcome], "videos")
    if left_out:
        names = ", ".join(path.relative_to(run.directory).as_posix() for path in left_out)
        text += missing(f"Too large for this page: {names}.")
    return text


def failures(run: RunResults) -> str:
    """Videos of tries of augmentation that failed, with what happened; empty if none were drawn."""
    if not run.failures:
        return ""
    shown, left_out = _that_fit([path for path, _ in run.failures])
    about = dict(run.failures)
    text = '<h3 class="group">Tries that failed</h3>' + grid([_failure(path, about[path]) for path in shown], "videos")
    if left_out:
        text += missing(f"Too large for this page: {', '.join(path.name for path in left_out)}.")
    return text


def _failure(path: Path, about: Json) -> str:
    verdict = f"{text_in(about, 'subtask')}: {text_in(about, 'cause')}"
    words = [f"attempt {text_in(about, 'attempt')}", text_in(about, "source_demo"), text_in(about, "object")]
    if (off_m := number_in(about, "off_m")) is not None:
        words.append(f"{100 * off_m:.1f} cm off")
    return _figure(path, "failure", verdict, [word for word in words if word])


def _that_fit(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Videos that the page may hold, and the others, each in the order given."""
    room, shown = VIDEO_BYTES, set[Path]()
    for path in sorted(paths, key=lambda path: path.stat().st_size):
        room -= path.stat().st_size
        if room >= 0:
            shown.add(path)
    return [path for path in paths if path in shown], [path for path in paths if path not in shown]


def _video(path: Path, outcome: str, rows: dict[int, Json]) -> str:
    digits = path.stem.rpartition("_")[2]
    row = rows.get(int(digits), {}) if digits.isdigit() else {}
    words = [f"Rollout {int(digits)}" if digits.isdigit() else path.stem]
    if seed := text_in(row, "seed"):
        words.append(f"seed {seed}")
    if steps := number_in(row, "steps"):
        words.append(plural(steps, "step"))
    cause = text_in(row, "failed_subtask")
    verdict = f"failed at {cause}" if cause else outcome
    return _figure(path, outcome, verdict, words)


def _figure(path: Path, outcome: str, verdict: str, words: list[str]) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<figure><video controls loop muted playsinline preload="auto" src="data:video/mp4;base64,{data}"></video>'
        f'<figcaption><b class="{outcome}">{escape(verdict)}</b><br>{escape(" · ".join(words))}</figcaption></figure>'
    )
