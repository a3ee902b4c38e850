"""Reads what the stages of a run left behind, whatever of it there is."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

from apprentice.errors import UserError
from apprentice.report.fields import Json, object_in, text_in


@dataclass(kw_only=True)
class RunResults:
    """Everything a report is drawn from. A part that is missing is empty."""

    directory: Path
    """Of the run."""
    summary: Json = field(default_factory=dict[str, Any])
    """`summary.json`."""
    augmentations: dict[str, Json] = field(default_factory=dict[str, Json])
    """`*.stats.json` by the name of the file they describe."""
    training: list[Json] = field(default_factory=list[Json])
    """Lines of `train/log.jsonl`."""
    evaluation: Json = field(default_factory=dict[str, Any])
    """`evaluation.json`."""
    failure_analysis: Json = field(default_factory=dict[str, Any])
    """`failures.json` of the evaluation."""
    rollouts: list[Json] = field(default_factory=list[Json])
    """Rows of `rollouts.parquet`."""
    videos: list[Path] = field(default_factory=list[Path])
    """Videos of rollouts."""
    failures: list[tuple[Path, Json]] = field(default_factory=list[tuple[Path, Json]])
    """Videos of tries of augmentation that failed, and what each shows."""
    files: list[Path] = field(default_factory=list[Path])
    """All files that were read."""
    unreadable: list[str] = field(default_factory=list[str])
    """What was wrong with the files that could not be."""

    def stage(self, name: str) -> Json:
        """What `summary.json` says of a stage."""
        return object_in(self.summary, name)

    @property
    def sources(self) -> list[Json]:
        """All objects that may say what the run was about."""
        return [self.summary, self.evaluation, *self.augmentations.values()]

    @property
    def operator(self) -> str:
        """Who or what operated the robot in the source demos; empty if nobody says."""
        said = [text_in(source, "operator") for source in (self.stage("record"), *self.augmentations.values())]
        return next(filter(None, said), "")


def read_run(directory: Path) -> RunResults:
    """Read the result files of a run, or of one stage.

    Args:
        directory: The folder; or a demo file that augmentation wrote, or its statistics.

    Raises:
        UserError: If the folder does not exist or holds no result file.
    """
    if directory.is_file():
        return _read_augmentation(directory)
    if not directory.is_dir():
        raise UserError(f"Expected the folder of a run, but {directory} is none; name the --output of a command.")
    run = RunResults(directory=directory)
    run.summary = _first(_objects(run, ["summary.json"]))
    run.evaluation = _first(_objects(run, ["evaluation.json", "evaluate/evaluation.json"]))
    run.failure_analysis = _first(_objects(run, ["failures.json", "evaluate/failures.json"]))
    for path, stats in _objects(run, ["*.stats.json", "*/*.stats.json"]):
        run.augmentations[path.name.removesuffix(".stats.json")] = stats
    _read_failures(run, ["*.failures/videos.json", "*/*.failures/videos.json"])
    for path in _find(directory, ["train/log.jsonl", "log.jsonl"]):
        run.training = _lines(run, path)
    for path in _find(directory, ["rollouts.parquet", "evaluate/rollouts.parquet"]):
        run.rollouts = _rows(run, path)
    run.videos = _find(directory, ["videos/*.mp4", "evaluate/videos/*.mp4"])
    if not run.files and not run.unreadable:
        raise UserError(
            f"Expected result files (summary.json, *.stats.json, train/log.jsonl, evaluate/evaluation.json) in "
            f"{directory}, found none; run a command with that --output first."
        )
    return run


def read_comparison(directory: Path) -> Json | None:
    """`comparison.json` of a folder, None if it holds none.

    Raises:
        UserError: If it cannot be read.
    """
    return _whole(directory / "comparison.json", "a comparison", "compare again")


def read_suite(directory: Path) -> Json | None:
    """`suite.json` of a folder, None if it holds none.

    Raises:
        UserError: If it cannot be read.
    """
    return _whole(directory / "suite.json", "the results of a suite", "give its command again")


def _whole(path: Path, what: str, cure: str) -> Json | None:
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"Expected {what} in {path}, but it cannot be read ({error}); {cure}.") from error
    return cast(Json, value) if isinstance(value, dict) else {}


def _read_augmentation(file: Path) -> RunResults:
    """The results that stand beside one generated demo file."""
    name = file.name.removesuffix(".stats.json")
    run = RunResults(directory=file.parent)
    for _, stats in _objects(run, [f"{glob.escape(name)}.stats.json"]):
        run.augmentations[name] = stats
    if not run.augmentations:
        raise UserError(
            f"Expected the folder of a run, or a demo file that `apprentice augment` wrote, found {file} without "
            f"{name}.stats.json beside it; name the --output of a command."
        )
    _read_failures(run, [f"{glob.escape(Path(name).stem)}.failures/videos.json"])
    return run


def _read_failures(run: RunResults, patterns: list[str]) -> None:
    for index in _find(run.directory, patterns):
        try:
            entries = cast(list[Json], json.loads(index.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            run.unreadable.append(f"{index.relative_to(run.directory)}: {error}")
            continue
        shown = [(index.parent / text_in(entry, "file"), entry) for entry in entries]
        run.failures += [(path, entry) for path, entry in shown if path.is_file()]
        run.files.append(index)


def _find(directory: Path, patterns: list[str]) -> list[Path]:
    return [path for pattern in patterns for path in sorted(directory.glob(pattern))]


def _objects(run: RunResults, patterns: list[str]) -> Iterator[tuple[Path, Json]]:
    for path in _find(run.directory, patterns):
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            run.unreadable.append(f"{path.relative_to(run.directory)}: {error}")
            continue
        if isinstance(value, dict):
            run.files.append(path)
            yield path, cast(Json, value)
        else:
            run.unreadable.append(f"{path.relative_to(run.directory)}: expected a JSON object")


def _first(objects: Iterator[tuple[Path, Json]]) -> Json:
    for _, value in objects:
        return value
    return {}


def _lines(run: RunResults, path: Path) -> list[Json]:
    """Lines of a log; one that a kill tore is left out."""
    rows: list[Json] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(cast(Json, row))
    run.files.append(path)
    return rows


def _rows(run: RunResults, path: Path) -> list[Json]:
    try:
        rows = cast(list[Json], pq.read_table(path).to_pylist())  # pyright: ignore[reportUnknownMemberType]
    except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors
        run.unreadable.append(f"{path.relative_to(run.directory)}: {error}")
        return []
    run.files.append(path)
    return rows
