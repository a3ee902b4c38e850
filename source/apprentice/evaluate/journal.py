"""The rollouts of an evaluation on disk, one line each, so that a killed evaluation continues where it was."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from apprentice.errors import UserError

FINAL = "final"
"""Failed subtask of a rollout that reached every subtask signal, but no held success."""
DIVERGED = "diverged"
"""Failed subtask of a rollout in which the policy returned an action that is not finite."""


@dataclass(kw_only=True, frozen=True)
class Identity:
    """What makes two evaluations the same: their rollouts may stand in one folder."""

    task: str
    """Task id."""
    variant: str | None
    """Difficulty variant of the task."""
    backend: str
    """What stepped the physics."""
    checkpoint_sha256: str
    """Of the file that holds the policy."""
    rollouts: int
    """How many are to be played, at most."""
    seed: int
    """Rollout i starts from the initial state of seed + i, unless there are start states."""
    held_steps: int
    """Control steps in a row for which success must hold."""
    horizon: int
    """Control steps after which a rollout has failed."""
    clear_of: float | None
    """Success rate at which to stop once it is clear on which side of it the policy is; None to play all."""
    states_sha256: str | None = None
    """Digest of the start states; None where rollouts start from the initial states of seeds."""
    condition: dict[str, Any] | None = None
    """What was different from the task; None if nothing was."""


@dataclass(kw_only=True, frozen=True)
class Rollout:
    """One attempt of the policy."""

    index: int
    """Its number. The initial state is that of the evaluation's seed plus this, or the start state of this number."""
    seed: int
    """Of the initial state, or of the episode that the start state is of."""
    success: bool
    """Whether success was held."""
    success_any_step: bool
    """Whether the success term was true at any step: what is often quoted, and more than what was held."""
    steps: int
    """Control steps played."""
    failed_subtask: str | None
    """Signal of the first subtask that was never reached; "final" or "diverged"; None for a success."""
    initial_poses: dict[str, list[float]]
    """Per object, x y z in metres and quaternion xyzw, relative to the environment's origin."""
    path_length_m: float | None
    """Way travelled by all end effectors together; None where the task does not tell their poses."""
    wall_seconds: float
    """From reset to end, beside the other environments."""
    run: int
    """Which start of the evaluation played it: 0, and one more after each interruption."""
    run_seconds: float
    """Seconds from that start to the end of this rollout."""
    kind: str | None = None
    """What the start state was, such as "drop"; None for the initial state of a seed."""
    not_counted: str | None = None
    """Why the rollout says nothing about the policy, such as a mishap that never struck; None if it counts."""
    mishap: str | None = None
    """What went wrong in it, such as "drop"."""
    aftermath: dict[str, Any] | None = None
    """The scene's state right after that, by name, as nested lists."""


class Journal:
    """The only writer of one evaluation's `rollouts.jsonl`."""

    def __init__(self, directory: Path, identity: Identity) -> None:
        """Open the journal of `directory`, or begin it.

        Raises:
            UserError: If another process is writing it, or it belongs to another evaluation.
        """
        self.path = directory / "rollouts.jsonl"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = self.path.open("a+", encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"Expected a folder to write the evaluation to, but {directory} cannot be written "
                f"({error.strerror}); give another --output."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise UserError(
                f"Expected to be the only evaluation in {directory}, but another one is running there; "
                "wait for it or give another --output."
            ) from error
        try:
            self.rollouts = self._resume(identity)
        except BaseException:
            self._file.close()
            raise
        self.run = 1 + max((rollout.run for rollout in self.rollouts), default=-1)

    def append(self, rollout: Rollout) -> None:
        """Add a rollout; it survives a kill once this returns."""
        self._write(asdict(rollout))
        self.rollouts.append(rollout)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _resume(self, identity: Identity) -> list[Rollout]:
        header, rows, end = _read(self._file, self.path)
        self._file.truncate(end)  # what a kill left of a line
        if header is None:
            self._write(asdict(identity))
            return []
        require_same(header, identity, self.path.parent)
        return [Rollout(**row) for row in rows]

    def _write(self, row: dict[str, Any]) -> None:
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def require_same(found: dict[str, Any], identity: Identity, directory: Path) -> None:
    """Refuse to mix two evaluations.

    Raises:
        UserError: If `found`, the identity written in `directory`, is not `identity`.
    """
    for key, expected in asdict(identity).items():
        if found.get(key) != expected:
            raise UserError(
                f"Expected {directory} to hold an evaluation with {key} {expected}, but it holds one with {key} "
                f"{found.get(key)}; give another --output, or remove that folder."
            )


def _read(file: IO[str], path: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]], int]:
    """Header, rows, and the length in bytes up to which the file is whole."""
    file.seek(0)
    lines = file.read().encode().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    try:
        rows = [json.loads(line) for line in lines]
    except json.JSONDecodeError as error:
        raise UserError(
            f"Expected one JSON object a line in {path}, found something else ({error}); remove it to start over."
        ) from error
    return (rows[0] if rows else None), rows[1:], sum(map(len, lines))
