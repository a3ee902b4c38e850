"""Keeps a few failed tries of each kind in a file of their own, to look at: FILE.failures.hdf5."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from apprentice.augment.attempt import FailedTry, Outcome
from apprentice.demos import Demo, DemoFile, DemoWriter, demo_attrs

from .probe import subtask_name

KEPT = 3
"""Failed tries that are kept per subtask and cause."""


def failures_path(output: Path) -> Path:
    """Where the failed tries of a demo file stand."""
    return output.with_name(f"{output.stem}.failures.hdf5")


class FailureFile:
    """The only writer of one run's failed tries. A context manager; there is no file until something is kept."""

    def __init__(self, output: Path, meta: Mapping[str, Any]) -> None:
        """Go on with the file of `output`, if there is one.

        Args:
            output: The demo file.
            meta: What is the same for all demos of the run; as in that file.
        """
        self._path, self._meta = failures_path(output), dict(meta)
        self._writer: DemoWriter | None = None
        self._kept: Counter[tuple[str, int, str]] = Counter()
        self._seen: set[tuple[int, str, int, str]] = set()
        if self._path.exists():
            with DemoFile(self._path) as file:
                for name in file.names:
                    self._count(file.attrs(name)["failed_try"])

    def keep(self, outcome: Outcome, failed: Sequence[FailedTry]) -> None:
        """Keep those tries of an attempt of whose kind there are too few. Attempts come in the order of their numbers.

        Args:
            outcome: The attempt.
            failed: Tries of it that failed.
        """
        for one in failed:
            kind = (one.eef, one.subtask, one.cause.name)
            if self._kept[kind] >= KEPT or (outcome.number, *kind) in self._seen:
                continue
            part = next(p for p in outcome.subtasks if (p["eef"], p["index"]) == (one.eef, one.subtask))
            about = {
                "attempt": outcome.number,
                "eef": one.eef,
                "index": one.subtask,
                "subtask": subtask_name(part),
                "cause": one.cause.name,
                "object": one.cause.object,
                "off_m": one.cause.off_m,
                "off_rad": one.cause.off_rad,
                "step": one.cause.step,
                "source_demo": one.source_demo,
            }
            if self._writer is None:
                self._writer = DemoWriter(self._path, task=self._meta["task"], meta=self._meta, resume=True)
            attrs = demo_attrs(
                task=self._meta["task"],
                variant=self._meta["variant"],
                backend=self._meta["backend"],
                operator="generated",
                device="augment",
                seed=outcome.seed,
                control_hz=self._meta["control_hz"],
                failed_try=about,
            )
            self._writer.append(Demo(actions=one.actions, data=one.data, success=False, attrs=attrs))
            self._count(about)

    def _count(self, about: Mapping[str, Any]) -> None:
        kind = (about["eef"], about["index"], about["cause"])
        self._kept[kind] += 1
        self._seen.add((about["attempt"], *kind))

    def __enter__(self) -> FailureFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, error, trace)
