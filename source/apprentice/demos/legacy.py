"""Converting Isaac Lab's legacy files, whose quaternions are wxyz, without guessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apprentice.demos.durable import WriterLock, reason, refuse_existing, replacing
from apprentice.demos.hdf5 import H5, dataset_keys, open_file, read_array
from apprentice.demos.parts import task_of
from apprentice.demos.schema import FORMAT_VERSION, in_order, user_error
from apprentice.errors import UserError

_SURELY_NONE = ("_pos", "_positions", "_position", "_vel", "_velocity", "rewards", "dones")
"""Ends of names whose arrays hold positions or velocities and nothing else."""


def convert_legacy(
    path: str | Path, output: str | Path, *, quaternions: Mapping[str, Sequence[int]] | None = None
) -> None:
    """Write a copy of a legacy file with its quaternions turned from wxyz to xyzw, all or nothing.

    Converts root poses, arrays named `..._quat` or `...orientations`, and those that the caller names. Whatever else
    could hide a quaternion is refused: a wrong guess would corrupt the data silently.

    Args:
        path: The legacy file.
        output: The new file.
        quaternions: By path below a demo, the columns at which quaternions start, such as {"obs/object": [3, 10, 17]};
            an empty list says that there are none.

    Raises:
        UserError: If it cannot be known where quaternions are, they are not of unit length, the file is not a legacy
            file, `output` exists, or it cannot be written.
    """
    path, output = Path(path).resolve(), Path(output).resolve()
    with open_file(path) as file:
        version = int(file.attrs.get("format_version", 0))
        if version >= FORMAT_VERSION:
            raise UserError(f"{path}: expected a legacy file, found format_version {version}, which is xyzw already.")
        if "data" not in file:
            raise user_error(path, "", "data", "expected a group that holds the demos, found none")
        columns = _columns(path, file, dict(quaternions or {}))
    with WriterLock(output):
        refuse_existing(output)
        try:
            with replacing(output, base=path, room=1 << 16) as file:
                for name in in_order(file["data"]):
                    for key in dataset_keys(file["data"][name]):
                        _reorder(path, name, key, file["data"][name][key], columns[key])
                file.attrs["format_version"] = FORMAT_VERSION
        except OSError as error:
            raise UserError(
                f"{output}: was not written, because {reason(error)}, then run the command again."
            ) from None


def _columns(path: Path, file: H5, given: dict[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    """For every array of every demo, where its quaternions start."""
    columns: dict[str, Sequence[int]] = {}
    unknown: set[str] = set()
    task = task_of(file) or ""
    for name in file["data"]:
        demo = file["data"][name]
        for key in set(dataset_keys(demo)) - columns.keys() - unknown:
            found = given[key] if key in given else _known(key, demo[key], task)
            if found is None:
                unknown.add(key)
            else:
                columns[key] = found
    if surplus := sorted(given.keys() - columns.keys()):
        raise UserError(f"{path}: expected arrays of this file, found none named {', '.join(surplus)}.")
    if unknown:
        raise UserError(
            f"{path}: expected to know which columns hold quaternions, found no way to tell for "
            f"{', '.join(sorted(unknown))}; pass quaternions={{'{min(unknown)}': [first column of each]}}, or [] where "
            f"there are none."
        )
    return columns


def _known(key: str, dataset: H5, task: str) -> Sequence[int] | None:
    last, shape = key.rsplit("/", 1)[-1], tuple(int(size) for size in dataset.shape)
    width = shape[-1] if shape else 0
    if last in ("root_pose", "segment_pose") and width == 7:
        return [3]
    if last.endswith(("_quat", "orientations")) and width % 4 == 0:
        return range(0, width, 4)
    if dataset.dtype.kind != "f" or len(shape) < 2 or width < 4 or shape[-2:] == (4, 4):
        return []
    if last.endswith(_SURELY_NONE) or last.startswith("joint_"):
        return []
    if last in ("actions", "processed_actions") and ("IK-Rel" in task or "Joint" in task):
        return []  # relative poses are rotation vectors
    return None


def _reorder(path: Path, name: str, key: str, dataset: Any, columns: Sequence[int]) -> None:
    if not columns:
        return
    values = read_array(dataset)
    for start in columns:
        quat = values[..., start : start + 4]
        lengths = np.linalg.norm(quat, axis=-1)
        if quat.shape[-1] != 4 or not np.allclose(lengths, 1.0, atol=1e-2):
            found = f"length {float(lengths.flat[0]):.3g}"
            text = f"expected unit quaternions in columns {start} to {start + 3}, found {found}"
            raise user_error(path, name, key, text)
        values[..., start : start + 4] = np.roll(quat, -1, axis=-1)
    dataset[...] = values
