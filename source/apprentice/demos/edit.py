"""Changing demo files that exist: attributes and annotations. Killed at any time, a file is the old or the new one."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from apprentice.demos.durable import WriterLock, reason, refuse_existing, replacing
from apprentice.demos.hdf5 import H5, Tree, read_array, write_array, write_attrs
from apprentice.demos.parts import add_parts, fold, list_parts
from apprentice.demos.schema import PREVIOUS, expected_rows, in_order, not_finite, user_error
from apprentice.demos.view import StoreView
from apprentice.errors import UserError

_ANNOTATIONS = "obs/datagen_info"
_ROOM_PER_CHANGE = 1 << 13
"""Bytes that HDF5 may need beside the values of a changed dataset or attribute."""


def set_demo_attrs(path: str | Path, attrs: Mapping[str, Mapping[str, Any]], *, group: str = "data") -> None:
    """Add or change attributes of demos in place, all or nothing.

    Args:
        path: The demo file.
        attrs: By name of the demo, the attributes to set, such as {"demo_0": certificate.attrs()}. Others stay.
        group: Top-level group of the demos.

    Raises:
        UserError: If a demo does not exist, or the file cannot be written or is being written by somebody else.
    """
    path = Path(path).resolve()
    for name in {key for values in attrs.values() for key in values} & {"num_samples", "success"}:
        raise ValueError(
            f"Expected attributes that say where a demo comes from, got {name!r}, which its data determine."
        )
    with _editing(path, path, group, _ROOM_PER_CHANGE * (1 + sum(len(values) for values in attrs.values()))) as demos:
        for name, values in attrs.items():
            write_attrs(_demo(path, demos, name), values)


def write_annotations(path: str | Path, annotations: Mapping[str, Tree], *, output: str | Path | None = None) -> None:
    """Add arrays below "obs/" to demos, all or nothing. No earlier annotation is lost.

    An array that an annotation replaces moves to "obs/datagen_info_previous/<n>/", n counting up from 0.

    Args:
        path: The demo file.
        annotations: By name of the demo, the arrays to add by path, such as
            "obs/datagen_info/subtask_term_signals/grasp_1". Rows are steps.
        output: A new file for the result. None changes the file itself.

    Raises:
        UserError: If a demo does not exist, an array does not fit it or would replace recorded data, `output` exists,
            or the file cannot be written or is being written by somebody else.
    """
    path = Path(path).resolve()
    target = path if output is None else Path(output).resolve()
    room = sum(value.nbytes + _ROOM_PER_CHANGE for tree in annotations.values() for value in tree.values())
    with _editing(path, target, "data", room + _ROOM_PER_CHANGE) as demos:
        for name, tree in annotations.items():
            _annotate(path, name, _demo(path, demos, name), tree)


def _annotate(path: Path, name: str, demo: H5, tree: Tree) -> None:
    length = int(demo["actions"].shape[0])
    for key, value in tree.items():
        rows = expected_rows(key, length)
        if not key.startswith("obs/"):
            raise user_error(path, name, key, "expected a path below obs/")
        if value.ndim == 0 or len(value) != rows:
            raise user_error(path, name, key, f"expected {rows} rows, as in actions, found {value.shape}")
        if (text := not_finite(value)) is not None:
            raise user_error(path, name, key, text)
    same = {key for key in tree if key in demo and _equal(demo, key, tree)}
    replaced = [key for key in tree if key in demo and key not in same]
    kept = f"{PREVIOUS}/{len(demo[PREVIOUS]) if PREVIOUS in demo else 0}"
    for key in replaced:
        if not key.startswith(f"{_ANNOTATIONS}/"):
            raise user_error(path, name, key, "expected a new array, found one that was recorded and is never replaced")
        demo.require_group(f"{kept}{key.removeprefix(_ANNOTATIONS)}".rsplit("/", 1)[0])
        demo.move(key, f"{kept}{key.removeprefix(_ANNOTATIONS)}")
    for key in tree.keys() - same:
        write_array(demo, key, tree[key])


def _equal(demo: H5, key: str, tree: Tree) -> bool:
    stored = read_array(demo[key])
    return np.array_equal(stored, tree[key].astype(stored.dtype))


def _demo(path: Path, demos: H5, name: str) -> H5:
    if name not in demos:
        names = in_order(demos)
        there = f"{names[0]} to {names[-1]}" if names else "none"
        raise user_error(path, name, "", f"expected one of its demos, {there}, found no such demo")
    return demos[name]


@contextmanager
def _editing(path: Path, target: Path, group: str, room: int) -> Generator[H5]:
    """The demos of `path`, parts included, on the way to becoming those of `target`."""
    StoreView(path, group).close()  # refuses what is not a demo file before anything is written
    with WriterLock(target):
        if target != path:
            refuse_existing(target)
        try:
            if target == path:
                fold(path)
            parts = list_parts(path)
            room += sum(part.num_bytes for part in parts)
            with replacing(target, base=path, room=room) as file:
                add_parts(file, parts, path)
                yield file[group]
        except OSError as error:
            raise UserError(
                f"{target}: was left as it was, because {reason(error)}, then run the command again."
            ) from None
