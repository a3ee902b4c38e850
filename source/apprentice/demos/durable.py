"""Files that are complete at every moment: written aside, synced, and moved into place; one writer at a time."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from apprentice.demos.hdf5 import H5, LIBVER, h5py
from apprentice.errors import UserError

SCRATCH_SUFFIX = ".tmp"


@contextmanager
def replacing(path: Path, *, base: Path | None = None, room: int = 0) -> Generator[H5]:
    """An HDF5 file to fill, which becomes `path` in one step, and durably, when the block ends without an error.

    Killed at any moment, `path` is what it was before or what it should become. The caller holds the lock.

    Args:
        path: What to create or replace.
        base: File whose content to start from; None starts empty.
        room: Upper bound of the bytes that will be added. Reserved first, so that a full disk shows here, before HDF5
            is half way through a write, which it does not survive.

    Raises:
        OSError: If there is not enough space, or the folder may not be written.
    """
    scratch = path.with_name(path.name + SCRATCH_SUFFIX)
    try:
        if base is None:
            with h5py.File(scratch, "w", libver=LIBVER):
                pass
        else:
            shutil.copyfile(base, scratch)
        _reserve(scratch, scratch.stat().st_size + room)
        with h5py.File(scratch, "r+", libver=LIBVER) as file:
            yield file
        _sync(scratch)
        os.replace(scratch, path)
        _sync(path.parent)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Replace a file in one step that survives a kill or a power cut at any moment.

    Args:
        path: What to create or replace; its folder is made.
        write: Writes the file that it is given.

    Raises:
        UserError: If the folder cannot be written or the disk is full.
    """
    scratch = path.with_name(path.name + SCRATCH_SUFFIX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(scratch)
        _sync(scratch)
        os.replace(scratch, path)
        _sync(path.parent)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as RuntimeError
        scratch.unlink(missing_ok=True)
        raise UserError(f"Expected to write {path}, but {error}; free space or choose another --output.") from error


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file in one step. Raises as `write_atomically`."""
    write_atomically(path, lambda scratch: scratch.write_text(json.dumps(value, indent=2) + "\n"))


def _reserve(path: Path, size: int) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.posix_fallocate(descriptor, 0, size)  # HDF5 trims the file to what it used
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create a folder, and those that it is in, so that they survive a power cut too."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        _sync(path.parent)


def reason(error: OSError) -> str:
    """Why the system refused a write, and what to do about it, in words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "there is no space left; free some"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "its folder may not be written; change its permissions or choose another"
    return f"the system says: {error.strerror or error}; put that right"


_held: set[int] = set()


def _forget_in_child() -> None:
    # a forked worker must not keep its dead parent's lock alive
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)


def refuse_existing(path: Path) -> None:
    """Raise the error of commands that only make new files.

    Raises:
        UserError: If `path` exists.
    """
    if path.exists():
        raise UserError(f"{path}: expected a new output file, found an existing one; choose another output.")


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


class WriterLock:
    """The right to change a demo file: one process at a time, given back even by `kill -9`. A context manager."""

    def __init__(self, path: Path) -> None:
        """Take the lock of the demo file `path`, whose folder is created if it is missing.

        Raises:
            UserError: If somebody else holds it, or the folder cannot be written.
        """
        self._file = path.with_name(path.name + ".lock")
        try:
            make_folder(path.parent)
            self._descriptor = self._acquire()
        except BlockingIOError:
            raise UserError(
                f"{path}: expected to be the only writer, found another process writing; wait for it or stop it."
            ) from None
        except OSError as error:
            raise UserError(f"{path}: cannot be written, because {reason(error)}.") from None
        self._released = False
        _held.add(self._descriptor)
        # whatever a killed writer left half done; nothing else can be using it now
        path.with_name(path.name + SCRATCH_SUFFIX).unlink(missing_ok=True)

    def _acquire(self) -> int:
        while True:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(descriptor, self._file):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # the holder before us removed the file that we locked: try the new one

    @property
    def released(self) -> bool:
        return self._released

    def release(self) -> None:
        """Give the lock back. Doing so twice does nothing."""
        if not self._released:
            self._released = True
            _held.discard(self._descriptor)
            self._file.unlink(missing_ok=True)  # while held, so that nobody's newer lock file is removed
            os.close(self._descriptor)

    def __enter__(self) -> WriterLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
