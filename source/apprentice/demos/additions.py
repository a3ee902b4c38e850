"""Arrays added to a copy of a demo file, demo by demo, in any process; an interrupted pass goes on where it stopped.

What was made of each demo is first a small file of its own in `OUTPUT.hdf5.added/`. When all are there, they and the
demos become the output in one step. Killed at any moment, the input is untouched, the output complete or not there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from apprentice.demos.durable import SCRATCH_SUFFIX, WriterLock, make_folder, reason, refuse_existing, replacing
from apprentice.demos.hdf5 import H5, Tree, dataset_keys, open_file, write_array
from apprentice.demos.parts import add_parts, list_parts
from apprentice.demos.reader import DemoFile
from apprentice.demos.schema import user_error
from apprentice.errors import UserError

_ROOM_PER_ARRAY = 1 << 16
"""Bytes that HDF5 may need beside an array's values: headers, and a table of its compressed rows."""


class AddingCopy:
    """A copy of a demo file in the making, which has more arrays than the original. A context manager."""

    def __init__(self, path: str | Path, output: str | Path, keys: Sequence[str], settings: Mapping[str, Any]) -> None:
        """Begin, or go on where an earlier pass stopped.

        Args:
            path: The demo file to copy.
            output: The new file.
            keys: Paths of the arrays that every demo gets.
            settings: What decides how they come out. JSON-able.

        Raises:
            UserError: If the output exists or is being written, an earlier pass had other settings, or demos have
                such arrays already.
        """
        self._path, self._output, self._keys = Path(path).resolve(), Path(output).resolve(), sorted(keys)
        self.folder = self._output.with_name(self._output.name + ".added")
        """Where `write_addition` puts what was made of each demo."""
        with DemoFile(self._path) as file:
            self._names = list(file.names)
            for name in self._names:
                if there := set(keys) & set(file.keys(name)):
                    raise user_error(self._path, name, min(there), "expected to add this array, found it there already")
        self._lock = WriterLock(self._output)
        try:
            refuse_existing(self._output)
            self._begin(dict(settings) | {"keys": self._keys})
        except OSError as error:
            self._lock.release()
            raise self._refused(error) from None
        except BaseException:
            self._lock.release()
            raise

    def _begin(self, settings: Mapping[str, Any]) -> None:
        status = self._path.stat()
        identity = {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}
        wanted = json.loads(json.dumps({"of": str(self._path)} | identity | dict(settings)))
        note = self.folder / "settings.json"
        if note.exists():
            found = json.loads(note.read_text())
            if found != wanted:
                differs = ", ".join(key for key in wanted if found.get(key) != wanted[key])
                raise UserError(
                    f"{self._output}: expected to go on with what {self.folder.name} holds, found that it was made "
                    f"with another {differs}; use the same settings, choose another output, or delete that folder."
                )
        make_folder(self.folder)
        for scratch in self.folder.glob(f"*{SCRATCH_SUFFIX}"):
            scratch.unlink()
        note.write_text(json.dumps(wanted))

    @property
    def missing(self) -> list[str]:
        """Demos for which nothing was made yet, in order."""
        return [name for name in self._names if not _file_of(self.folder, name).exists()]

    def finish(self, meta: Mapping[str, Any]) -> None:
        """Make the output.

        Args:
            meta: What to add to the file's description of its demos. JSON-able.

        Raises:
            UserError: If it cannot be written. What was made stays, and the next pass goes on with it.
        """
        if missing := self.missing:
            raise ValueError(f"Expected additions for every demo, found none for {missing[0]}.")
        parts = list_parts(self._path)
        made = {name: _file_of(self.folder, name) for name in self._names}
        room = sum(part.num_bytes for part in parts) + sum(
            file.stat().st_size + _ROOM_PER_ARRAY for file in made.values()
        )
        try:
            with replacing(self._output, base=self._path, room=room) as file:
                add_parts(file, parts, self._path)
                for name, addition in made.items():
                    _copy(addition, file["data"][name])
                attrs = file["data"].attrs
                attrs["apprentice"] = json.dumps(json.loads(attrs.get("apprentice", "{}")) | dict(meta))
        except OSError as error:
            raise self._refused(error) from None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _refused(self, error: OSError) -> UserError:
        return UserError(f"{self._output}: cannot be written, because {reason(error)}, then run the command again.")

    def __enter__(self) -> AddingCopy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()


def write_addition(folder: Path, name: str, tree: Tree) -> None:
    """Save the arrays that the demo `name` gets, by path. When this returns, they are on disk to stay."""
    room = sum(value.nbytes + _ROOM_PER_ARRAY for value in tree.values())
    with replacing(_file_of(folder, name), room=room) as file:
        for key, value in tree.items():
            write_array(file, key, value)


def _file_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.hdf5"


def _copy(addition: Path, demo: H5) -> None:
    with open_file(addition) as source:
        for key in dataset_keys(source):
            parent, _, last = key.rpartition("/")
            # as they are stored: nothing is decompressed
            source.copy(key, demo.require_group(parent) if parent else demo, name=last)
