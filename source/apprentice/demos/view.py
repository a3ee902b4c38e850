"""One consistent view of a demo file and its parts, also while a writer is adding to them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from apprentice.demos import masks
from apprentice.demos.hdf5 import H5, open_file
from apprentice.demos.parts import list_parts, parts_folder
from apprentice.demos.schema import FORMAT_VERSION, in_order, user_error
from apprentice.errors import UserError


class StoreView:
    """The demos that were there when it was opened, wherever a writer has moved them since.

    A writer replaces the main file and never changes it, so an open one stays what it was; parts never change and only
    disappear once a newer main file holds them.
    """

    def __init__(self, path: Path, group: str) -> None:
        """Open the demo file `path` and look at its top-level `group`.

        Raises:
            UserError: If it is not a demo file, or one with legacy wxyz quaternions.
        """
        self.path = path
        self.group = group
        parts = {part.demo: part.path for part in list_parts(path) if part.group == group}
        # The main file is opened last: a part that disappears from now on is in it, or in a newer one.
        self.file = self._open_main(bool(parts))
        try:
            self._check_format()
        except BaseException:
            self.close()
            raise
        here = set(self.file[group]) if group in self.file else set[str]()
        self._parts = {name: part for name, part in parts.items() if name not in here}
        self.names = in_order(here | set(self._parts))
        """Names of the demos, in order."""
        self.unfolded = in_order(self._parts)
        """Those of them that were not yet in the main file."""
        self.masks = masks.read(self.file)
        """Names of demos by mask, of the main file."""

    def _open_main(self, has_parts: bool) -> H5:
        if has_parts and not self.path.exists():
            raise UserError(
                f"{self.path}: expected a demo file, found only its unfinished {parts_folder(self.path).name}; resume "
                f"the recording, which brings the file back."
            )
        return open_file(self.path)

    def _check_format(self) -> None:
        if "data" not in self.file:
            found = ", ".join(sorted(self.file)) or "nothing"
            raise user_error(self.path, "", "data", f"expected a group that holds the demos, found {found}")
        self.format_version = int(self.file.attrs.get("format_version", 0))
        if self.format_version < FORMAT_VERSION:
            raise UserError(
                f"{self.path}: expected format_version {FORMAT_VERSION}, whose quaternions are xyzw, found "
                f"{self.format_version}, Isaac Lab's legacy wxyz; convert it with "
                f"apprentice.demos.convert_legacy(path, output)."
            )
        if self.format_version > FORMAT_VERSION:
            raise UserError(
                f"{self.path}: expected format_version {FORMAT_VERSION}, found the newer {self.format_version}; update "
                f"this package."
            )

    @contextmanager
    def demo(self, name: str) -> Generator[H5]:
        """The HDF5 group of one demo.

        Raises:
            UserError: If there is no such demo.
        """
        part = self._parts.get(name)
        if part is None:
            yield self._in_main(name)
            return
        try:
            file = open_file(part)
        except UserError:
            if part.exists():
                raise
            newer = open_file(self.path)  # it was folded in since we looked
            self.file.close()
            self.file = newer
            self._parts = {other: path for other, path in self._parts.items() if other not in newer[self.group]}
            yield self._in_main(name)
            return
        with file:
            yield file[self.group][name]

    def _in_main(self, name: str) -> H5:
        try:
            return self.file[self.group][name]
        except KeyError:
            some = f"{self.names[0]} to {self.names[-1]}" if self.names else "none"
            raise user_error(self.path, name, "", f"expected one of its demos, {some}, found no such demo") from None

    def close(self) -> None:
        self.file.close()
