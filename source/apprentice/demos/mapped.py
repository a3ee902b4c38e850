"""Arrays that lie on a disk and are mapped into memory: for images that may be more than memory holds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from apprentice.errors import UserError


def mapped(folder: Path, shape: Sequence[int], dtype: DTypeLike = np.uint8) -> NDArray[Any]:
    """Numbers on the disk of `folder`, in a file without a name, which ends with the array or with the process.

    Raises:
        UserError: If the disk is too small or the folder cannot be written.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (closed with the array)
        if hasattr(os, "posix_fallocate"):
            # a full disk is an error here; later, on writing into mapped memory, it would be the end of the process
            os.posix_fallocate(file.fileno(), 0, max(size, 1))
    except OSError as error:
        raise UserError(
            f"Expected {size / 2**30:.1f} GiB of free space in {folder} for unpacked images, but {error}; free some or"
            " choose another --output."
        ) from error
    return np.memmap(file, dtype, "r+" if hasattr(os, "posix_fallocate") else "w+", shape=tuple(shape))
