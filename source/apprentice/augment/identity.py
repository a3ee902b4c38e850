"""Whether a file on disk is one that a run may go on with: made from the same source demos with the same options."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from apprentice.demos import DemoFile
from apprentice.errors import UserError

from .journal import journal_path, read_journal


def file_sha256(path: Path) -> str:
    """Hash of a source file.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(
            f"Expected a file with source demos, found that {path} cannot be read ({error.strerror})."
        ) from error


def successes_so_far(output: Path, identity: dict[str, Any], *, still_unknown: str | None = None) -> int:
    """Demos that an interrupted or finished run of the same identity left in `output`.

    Args:
        output: Demo file.
        identity: What decides which demos come out.
        still_unknown: Entry of it that is not compared, because the task must be loaded to know it.

    Raises:
        UserError: If `output` is something else.
    """
    if not output.exists():
        if journal_path(output).exists():
            raise UserError(
                f"{output}: expected this file beside {journal_path(output).name}, found none; remove that journal to "
                "start over."
            )
        return 0
    with DemoFile(output) as file:
        there = file.meta.get("augment")
        if there is None:
            raise UserError(
                f"{output}: expected a new file or one that augment began, found another; choose another output."
            )
        if still_unknown in there:
            del there[still_unknown]
        differing = _differences(there, identity)
        if differing:
            raise UserError(
                f"{output}: expected a file made with the same options to continue, found "
                f"{'; '.join(differing)}; choose another output or those options."
            )
    return sum(line.outcome.success for line in read_journal(output))


def _differences(there: dict[str, Any], here: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key in sorted({*there, *here}):
        a, b = there.get(key), here.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{key}." if key != "cfg" else "")
        elif a != b:
            found.append(f"{prefix}{key} {a} instead of {b}")
    return found
