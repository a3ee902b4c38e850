"""States of a scene to begin episodes from, as a small HDF5 file: after a mishap, or where a policy failed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apprentice.demos.durable import WriterLock, reason, replacing
from apprentice.demos.hdf5 import H5, Tree, dataset_keys, open_file, read_array, read_attrs, write_array, write_attrs
from apprentice.demos.schema import not_finite
from apprentice.errors import UserError

_FORMAT = "apprentice start states"
_ROOM_BYTES = 65536
"""What HDF5 itself needs, at most."""


@dataclass(kw_only=True, frozen=True)
class StartStates:
    """K states of one task's scene, in order."""

    task: str
    """Task id."""
    variant: str | None
    """Difficulty variant of the task."""
    states: Tree
    """The scene's state by "/"-joined name, relative to the environment's origin. Shapes (K, ...), float32."""
    seeds: NDArray[np.int64]
    """Seed of the episode that each state is of: what else a reset draws is drawn from it again. Shape (K,)."""
    kinds: tuple[str, ...]
    """What each state is, such as "initial" or "drop". K of them."""

    def __post_init__(self) -> None:
        """Raises ValueError if lengths differ, and UserError if a state is not finite."""
        lengths = {len(self.seeds), len(self.kinds), *(len(value) for value in self.states.values())}
        if not self.states or len(lengths) != 1:
            raise ValueError(f"Expected states, seeds and kinds of one length, got lengths {sorted(lengths)}.")
        for key, value in self.states.items():
            if (text := not_finite(value)) is not None:
                raise UserError(f"Start states, {key}: {text}.")

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def sha256(self) -> str:
        """Digest of the content: the same for equal states, whatever file they are in."""
        digest = hashlib.sha256(json.dumps([self.task, self.variant, self.kinds]).encode())
        arrays = {key: self.states[key].astype(np.float32) for key in sorted(self.states)}
        for key, value in (arrays | {"seeds": self.seeds.astype(np.int64)}).items():
            digest.update(f"{key} {value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        return digest.hexdigest()

    def select(self, places: Iterable[int]) -> StartStates:
        """Some of the states, in the order of `places` (0 to K - 1)."""
        rows = list(places)
        return StartStates(
            task=self.task,
            variant=self.variant,
            states={key: value[rows] for key, value in self.states.items()},
            seeds=self.seeds[rows],
            kinds=tuple(self.kinds[row] for row in rows),
        )


def stack_start_states(task: str, variant: str | None, states: Sequence[tuple[Tree, int, str]]) -> StartStates:
    """Start states from single ones.

    Args:
        task: Task id.
        variant: Difficulty variant.
        states: Of each the scene's state by name, its seed and its kind. At least one.
    """
    return StartStates(
        task=task,
        variant=variant,
        states={key: np.array([state[key] for state, _, _ in states], np.float32) for key in states[0][0]},
        seeds=np.array([seed for _, seed, _ in states], np.int64),
        kinds=tuple(kind for _, _, kind in states),
    )


def join_start_states(parts: Sequence[StartStates]) -> StartStates:
    """All states of several files, one after the other.

    Raises:
        UserError: If they are of different tasks, variants or scenes.
    """
    first, *others = parts
    for other in others:
        for name, mine, theirs in (
            ("task", first.task, other.task),
            ("variant", first.variant, other.variant),
            ("scene", sorted(first.states), sorted(other.states)),
        ):
            if mine != theirs:
                raise UserError(f"Expected start states of one {name}, found {mine} and {theirs}.")
    return StartStates(
        task=first.task,
        variant=first.variant,
        states={key: np.concatenate([part.states[key] for part in parts]) for key in first.states},
        seeds=np.concatenate([part.seeds for part in parts]),
        kinds=tuple(kind for part in parts for kind in part.kinds),
    )


def write_start_states(path: Path, starts: StartStates) -> None:
    """Write a file, or replace it, in one step.

    Raises:
        UserError: If it cannot be written.
    """
    room = _ROOM_BYTES + sum(value.nbytes + 4096 for value in starts.states.values()) + 64 * len(starts)
    with WriterLock(path):
        try:
            with replacing(path, room=room) as file:
                write_attrs(file, {"format": _FORMAT, "version": 1, "task": starts.task, "variant": starts.variant})
                group = file.create_group("states")
                for key, value in starts.states.items():
                    write_array(group, key, value)
                write_array(file, "seeds", starts.seeds.astype(np.int64))
                write_array(file, "kinds", np.array([kind.encode() for kind in starts.kinds], dtype="S"))
        except OSError as error:
            raise UserError(f"{path}: cannot be written, because {reason(error)}.") from None


def read_start_states(path: Path) -> StartStates:
    """Read a file.

    Raises:
        UserError: If it is no file of start states, or a damaged one.
    """
    with open_file(path) as file:
        attrs = read_attrs(file)
        if attrs.get("format") != _FORMAT:
            raise UserError(
                f"{path}: expected a file of start states, found another HDF5 file; give one that `apprentice "
                "evaluate` wrote, such as the mishaps.hdf5 of a suite."
            )
        missing = {"states", "seeds", "kinds"} - {str(name) for name in file}
        if missing:
            raise UserError(f"{path}: expected states, seeds and kinds, found no {' and no '.join(sorted(missing))}.")
        states = {key: read_array(file["states"][key]) for key in dataset_keys(file["states"])}
        seeds, kinds = read_array(file["seeds"]), _texts(file["kinds"])
    try:
        variant: str | None = attrs["variant"]
        return StartStates(task=str(attrs["task"]), variant=variant, states=states, seeds=seeds, kinds=kinds)
    except KeyError as error:
        raise UserError(f"{path}: expected the attribute {error}, found only {', '.join(attrs)}.") from None
    except ValueError as error:
        raise UserError(f"{path}: {error} The file is damaged; write it again.") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def require_fitting(starts: StartStates, task: str, states: Sequence[str]) -> None:
    """Refuse states of another scene.

    Args:
        starts: The states.
        task: The task that shall begin from them.
        states: Names of its scene's state.

    Raises:
        UserError: If they are of another task, or name other parts of the scene.
    """
    if starts.task != task:
        raise UserError(
            f"Expected start states of the task {task}, found some of {starts.task}; give another --states."
        )
    if set(starts.states) != set(states):
        differing = sorted(set(starts.states) ^ set(states))
        raise UserError(
            f"Expected start states of the scene of {task} as it is now, found a difference in "
            f"{', '.join(differing)}; write the states again."
        )


def _texts(dataset: H5) -> tuple[str, ...]:
    values: list[Any] = read_array(dataset).tolist()
    return tuple(value.decode() if isinstance(value, bytes) else str(value) for value in values)
