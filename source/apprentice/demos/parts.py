"""Parts: demos that are safe on disk but not yet in the main file.

Each saved demo first becomes a small complete demo file of its own in `FILE.hdf5.parts/`. Folding copies parts into a
new main file, moves that into place and only then deletes them. Interrupted anywhere, a demo is in the main file, in
its part, or in both; never in neither, and one that is in both is recognised by its id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apprentice.demos import masks
from apprentice.demos.durable import SCRATCH_SUFFIX, WriterLock, reason, replacing
from apprentice.demos.hdf5 import H5, open_file
from apprentice.demos.schema import FORMAT_VERSION, demo_number
from apprentice.errors import UserError

_PART_NAME = re.compile(r"(?P<group>\w+)-(?P<demo>demo_\d+)\.hdf5")
_FOLDING_ROOM = 1 << 16
"""Bytes that HDF5 needs beside the parts' own size: links, masks, totals."""


@dataclass(kw_only=True, frozen=True)
class Part:
    path: Path
    """The part's own file."""
    group: str
    """Top-level group that the demo belongs to, "data" for demos that are meant to be imitated."""
    demo: str
    """Name of the demo, "demo_<k>"."""

    @property
    def num_bytes(self) -> int:
        """Size on disk; 0 once a writer has folded it in."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0


def parts_folder(path: Path) -> Path:
    return path.with_name(path.name + ".parts")


def part_at(path: Path, group: str, demo: str) -> Part:
    """Where the part of a demo of the file `path` belongs."""
    return Part(path=parts_folder(path) / f"{group}-{demo}.hdf5", group=group, demo=demo)


def list_parts(path: Path) -> list[Part]:
    """Complete parts beside the demo file `path`, by number."""
    folder = parts_folder(path)
    try:
        names = [entry.name for entry in folder.iterdir()]
    except FileNotFoundError:
        return []
    matches = (_PART_NAME.fullmatch(name) for name in names)
    found = [Part(path=folder / match[0], group=match["group"], demo=match["demo"]) for match in matches if match]
    return sorted(found, key=lambda part: (part.group, demo_number(part.demo) or 0))


def task_of(file: H5) -> str | None:
    """The task id that a demo file names, None if it names none."""
    try:
        return str(json.loads(file["data"].attrs["env_args"])["env_name"])
    except (KeyError, ValueError, TypeError):
        return None


def start_file(file: H5, *, env_args: str, meta: str | None) -> None:
    """Make an empty HDF5 file an empty demo file. `env_args` and `meta` are JSON text."""
    file.attrs["format_version"] = FORMAT_VERSION
    # Isaac Lab's and other readers that just iterate then see demo_2 before demo_10
    data = file.create_group("data", track_order=True)
    data.attrs["total"] = 0
    data.attrs["env_args"] = env_args
    if meta is not None:
        data.attrs["apprentice"] = meta


def fold(path: Path) -> int:
    """Move all parts into the main file. The caller holds the lock.

    Returns:
        How many demos the main file gained.

    Raises:
        UserError: If a part is damaged or belongs to another task.
        OSError: If there is not enough space. Nothing is lost; the parts stay.
    """
    parts = list_parts(path)
    gained = 0
    if parts:
        base = path if path.exists() else None
        room = _FOLDING_ROOM + sum(part.num_bytes for part in parts)
        with replacing(path, base=base, room=room) as file:
            gained = add_parts(file, parts, path)
    _remove(path, parts)
    return gained


def add_parts(file: H5, parts: Sequence[Part], path: Path) -> int:
    """Copy those parts of the demo file `path` into `file` that it lacks; how many those were."""
    added = [(part.group, _add(file, part, path)) for part in parts]
    count(file, [name for group, name in added if group == "data" and name is not None])
    return sum(name is not None for _, name in added)


def count(file: H5, names: Sequence[str]) -> None:
    """Bring the file's total and masks up to date with demos that were just added to "data"."""
    data = file["data"]
    data.attrs["total"] = int(data.attrs.get("total", 0)) + sum(int(data[name].attrs["num_samples"]) for name in names)
    # a file of somebody else's has no masks yet: its own demos are sorted too
    there = masks.read(file)
    unsorted = names if "train" in there else list(data)
    masks.write(file, masks.extended(there, {name: bool(data[name].attrs.get("success", True)) for name in unsorted}))


def recover(path: str | Path) -> int:
    """Put everything that an interrupted writer saved into the demo file itself, so that other programs see it too.

    Returns:
        How many demos the file gained; 0 if there was nothing to do.

    Raises:
        UserError: If a writer is still at work, or the file cannot be written.
    """
    path = Path(path).resolve()
    with WriterLock(path):
        try:
            return fold(path)
        except OSError as error:
            raise not_folded(path, error) from None


def not_folded(path: Path, error: OSError) -> UserError:
    """The error for demos that are safe, but not yet where other programs look for them."""
    return UserError(
        f"{path}: every demo is saved, but {len(list_parts(path))} of them are still in {parts_folder(path).name} and "
        f"could not be moved into the file, because {reason(error)}, then resume."
    )


def _add(file: H5, part: Part, path: Path) -> str | None:
    """Copy a part's demo into the main file; its name there, or None if it was there already."""
    with open_file(part.path) as source:
        if "data" not in file:
            start_file(file, env_args=source["data"].attrs["env_args"], meta=source["data"].attrs.get("apprentice"))
        expected, found = task_of(file), task_of(source)
        if expected != found:
            raise UserError(
                f"{part.path}: expected a demo of task {expected} as in {path.name}, found one of {found}; the file "
                f"has been exchanged since this demo was saved, so move one of them elsewhere."
            )
        group, demo = file.require_group(part.group), source[part.group][part.demo]
        name = part.demo
        if name in group:
            if group[name].attrs.get("demo_id") == demo.attrs["demo_id"]:
                return None  # killed after the new main file was in place, before its parts were deleted
            name = f"demo_{1 + max(demo_number(other) or 0 for other in group)}"
        source.copy(demo, group, name=name)
        return name


def _remove(path: Path, parts: Sequence[Part]) -> None:
    for part in parts:
        part.path.unlink(missing_ok=True)
    folder = parts_folder(path)
    if folder.exists():
        for scratch in folder.glob(f"*{SCRATCH_SUFFIX}"):
            scratch.unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
