"""What a demo is, and what makes one well formed. Plain numpy: knows nothing of files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apprentice.demos.hdf5 import Tree
from apprentice.errors import UserError

FORMAT_VERSION = 1
"""Isaac Lab's dataset format: quaternions are xyzw. Files without a version, or 0, hold wxyz."""

PREVIOUS = "obs/datagen_info_previous"
"""Where replaced annotations are kept."""

IMAGE = "_image"
"""What follows a camera's name in the key of its images, below `obs/`."""

DEPTH = "_depth"
"""What follows it in the key of how far away what its pixels show is: metres along its view. Shape (T, H, W, 1)."""

EXECUTED = "executed_actions"
"""Where a demo holds what the environment was given, if `actions` are labels without the noise that was on it."""

_STEPWISE = ("obs", "next_obs", "states", "joint_targets", "processed_actions", EXECUTED, "rewards", "dones")


@dataclass(kw_only=True)
class Demo:
    """One recorded episode."""

    actions: NDArray[np.float32]
    """What a policy is to learn to do. Shape (T, A)."""
    data: Tree
    """Everything else that was recorded, by path, such as "obs/eef_pos"; rows are steps."""
    success: bool
    """Whether the episode did what the task asks for, held to its end."""
    attrs: dict[str, Any] = field(default_factory=dict[str, Any])
    """Where it comes from: seed, operator, task, backend, versions, certificate... JSON-able."""
    name: str = ""
    """Its name in the file, "demo_<k>"; empty before it is written."""

    @property
    def length(self) -> int:
        """Control steps, T."""
        return len(self.actions)

    @property
    def executed(self) -> NDArray[np.float32]:
        """Raw actions as given to the environment: what a replay repeats. Shape (T, A)."""
        return self.data.get(EXECUTED, self.actions)


def demo_number(name: str) -> int | None:
    """The k of "demo_<k>", or None for any other name."""
    match = re.fullmatch(r"demo_(\d+)", name)
    return int(match[1]) if match else None


def in_order(names: Iterable[str]) -> list[str]:
    """Names by number (demo_2 before demo_10), then all others alphabetically."""

    def rank(name: str) -> tuple[bool, int, str]:
        number = demo_number(name)
        return number is None, number or 0, name

    return sorted(names, key=rank)


def expected_rows(key: str, length: int) -> int | None:
    """Rows that a dataset of a demo with `length` steps must have; None where any number is fine."""
    top = key.split("/", 1)[0]
    if top == "initial_state":
        return 1
    return length if top in _STEPWISE else None


def problems(tree: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, str]]:
    """What is wrong with a demo's arrays, "actions" among them: pairs of a key and what was expected and found."""
    actions = tree.get("actions")
    if actions is None:
        yield "actions", "expected the actions to imitate, found no such dataset"
        return
    if actions.ndim != 2:
        yield "actions", f"expected shape (steps, action width), found {actions.shape}"
        return
    if actions.shape[0] == 0 or actions.shape[1] == 0:
        yield "actions", f"expected at least one step and one column, found shape {actions.shape}"
        return
    executed = tree.get(EXECUTED, actions)
    if executed.shape != actions.shape:
        yield EXECUTED, f"expected shape {actions.shape}, that of actions, found {executed.shape}"
    for key, value in tree.items():
        rows = None if key == EXECUTED else expected_rows(key, len(actions))
        if rows is not None and (value.ndim == 0 or len(value) != rows):
            found = len(value) if value.ndim else "a single value"
            why = "as an initial state has" if rows == 1 and key.startswith("initial_state") else "as in actions"
            yield key, f"expected {rows} rows, {why}, found {found}"
        if (text := not_finite(value)) is not None:
            yield key, text


def not_finite(value: NDArray[Any]) -> str | None:
    """Where an array first holds NaN or infinity, in words; None if nowhere."""
    if value.dtype.kind != "f" or bool(np.isfinite(value).all()):
        return None
    bad = np.argwhere(~np.isfinite(value))
    first = tuple(int(index) for index in bad[0])
    where = f"at step {first[0]}" if first else "as its value"
    return f"expected finite numbers, found {value[first]} {where} ({len(bad)} bad of {value.size})"


def user_error(path: Path, demo: str, key: str, text: str) -> UserError:
    """The one form of error about a file's content: file, demo, key, expected and found."""
    place = ", ".join(part for part in (str(path), demo, key) if part)
    return UserError(f"{place}: {text}.")
