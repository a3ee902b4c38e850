"""Merging demo files of one task into one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apprentice.demos import masks
from apprentice.demos.durable import WriterLock, reason, refuse_existing, replacing
from apprentice.demos.hdf5 import H5, write_attrs
from apprentice.demos.parts import start_file
from apprentice.demos.reader import DemoFile
from apprentice.demos.schema import PREVIOUS
from apprentice.errors import UserError
from apprentice.progress import Progress, silent

_ROOM_PER_DEMO = 1 << 14
"""Bytes that HDF5 may need for a demo's links and attributes, beside its arrays."""


def merge(paths: Sequence[str | Path], output: str | Path, *, progress: Progress = silent) -> int:
    """Write the demos of several files into a new one, renumbered, all or nothing.

    Each demo keeps its attributes and says where it came from (`merged_from`), and stays on its side of the split
    between training and validation. What the files say about themselves is kept where they agree.

    Args:
        paths: Demo files of the same task, recorded with the same arrays.
        output: The new file.

    Returns:
        How many demos the new file has.

    Raises:
        UserError: If the files do not fit together, `output` exists, or it cannot be written.
    """
    output = Path(output).resolve()
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(DemoFile(path)) for path in paths]
        _require_same(files)
        room = sum(file.num_bytes + _ROOM_PER_DEMO * len(file) for file in files)
        stack.enter_context(WriterLock(output))
        refuse_existing(output)
        try:
            with replacing(output, room=room) as merged:
                meta = _common([file.meta for file in files])
                start_file(
                    merged,
                    env_args=json.dumps(_common([file.env_args for file in files])),
                    meta=json.dumps(meta) if meta else None,
                )
                return _copy(files, merged, progress)
        except OSError as error:
            raise UserError(
                f"{output}: was not written, because {reason(error)}, then run the command again."
            ) from None


def _copy(files: list[DemoFile], merged: H5, progress: Progress) -> int:
    total, done = sum(len(file) for file in files), 0
    sides: dict[str, list[str]] = {}
    unsorted: dict[str, bool] = {}
    for file in files:
        new_names: dict[str, str] = {}
        for name in file.names:
            new_names[name] = f"demo_{done}"
            demo = file.copy(name, merged["data"], new_names[name])
            write_attrs(demo, {"merged_from": {"file": file.path.name, "demo": name}})
            merged["data"].attrs["total"] += file.length(name)
            if not file.masks:
                unsorted[new_names[name]] = bool(demo.attrs.get("success", True))
            done += 1
            progress.update(done, total, file.path.name)
        for mask, names in file.masks.items():
            sides.setdefault(mask, []).extend(new_names[name] for name in names if name in new_names)
    masks.write(merged, masks.extended(sides, unsorted))
    return done


def _require_same(files: list[DemoFile]) -> None:
    if not files or any(len(file) == 0 for file in files):
        empty = next((str(file.path) for file in files if len(file) == 0), "no file at all")
        raise UserError(f"Expected files with demos to merge, found {empty}.")
    first = files[0]
    for other in files[1:]:
        for what, expected, found in (
            ("task", first.task, other.task),
            ("action width", first.action_dim, other.action_dim),
            ("control rate", first.meta.get("control_hz"), other.meta.get("control_hz")),
        ):
            if expected != found:
                raise UserError(f"{other.path}: expected {what} {expected} as in {first.path.name}, found {found}.")
        expected_keys, found_keys = _recorded(first), _recorded(other)
        if expected_keys != found_keys:
            lacks = ", ".join(sorted(expected_keys - found_keys)) or "nothing"
            adds = ", ".join(sorted(found_keys - expected_keys)) or "nothing"
            raise UserError(
                f"{other.path}: expected the arrays of {first.path.name}, found that it lacks {lacks} and adds {adds}; "
                f"record or annotate both the same way."
            )


def _recorded(file: DemoFile) -> set[str]:
    """Paths of a file's arrays, without those that not every writer adds."""
    keys = file.keys(file.names[0])
    return {key for key in keys if key not in ("rewards", "dones") and not key.startswith(PREVIOUS)}


def _common(values: list[dict[str, Any]]) -> dict[str, Any]:
    """Entries that all have, with the same value."""
    return {key: value for key, value in values[0].items() if all(other.get(key) == value for other in values)}
