"""The only module that talks to h5py: trees and attributes in, trees and attributes out.

Isaac Lab's and Robomimic's readers see ordinary datasets; what HDF5 cannot hold as an attribute rides as JSON text.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apprentice.errors import UserError

h5py: Any = importlib.import_module("h5py")  # ships no types

Tree = dict[str, NDArray[Any]]
"""Arrays by "/"-joined path below a demo, such as "obs/eef_pos" or "initial_state/rigid_object/cube_1/root_pose"."""

H5 = Any
"""An open HDF5 file, group or dataset."""

LIBVER = ("v110", "v110")
"""Compact groups, about 20 kB less per demo, and still readable by every HDF5 since 2016."""

_JSON_STARTS = ("{", "[", '"')


def open_file(path: Path) -> H5:
    """Open a file for reading.

    Raises:
        UserError: If there is no such file, it is not HDF5, or it is cut short.
    """
    try:
        return h5py.File(path, "r")
    except FileNotFoundError:
        raise UserError(f"{path}: expected a demo file, found no such file.") from None
    except IsADirectoryError:
        raise UserError(f"{path}: expected a demo file, found a folder.") from None
    except PermissionError:
        raise UserError(f"{path}: this file may not be read by you; change its permissions.") from None
    except OSError as error:
        if path.is_dir():
            raise UserError(f"{path}: expected a demo file, found a folder.") from None
        if "truncated" in str(error):
            found = f"one that is cut short at {path.stat().st_size} bytes; copy or download it again"
        else:
            found = "something else or a damaged one; give the .hdf5 file of a recording"
        raise UserError(f"{path}: expected a complete HDF5 file, found {found} ({error}).") from None


def dataset_keys(group: H5) -> list[str]:
    """Paths of all datasets below a group, sorted."""
    keys: list[str] = []

    def collect(name: str, item: H5) -> None:
        if isinstance(item, h5py.Dataset):
            keys.append(name)

    group.visititems(collect)
    return sorted(keys)


def expand_keys(group: H5, keys: Sequence[str] | None) -> Iterator[tuple[str, H5]]:
    """Datasets that `keys` name, with their paths; a key that names a group stands for all below it; None for all.

    Raises:
        KeyError: If a key names nothing.
    """
    for key in dataset_keys(group) if keys is None else keys:
        item = group[key]
        if isinstance(item, h5py.Dataset):
            yield key, item
        else:
            for below in dataset_keys(item):
                yield f"{key}/{below}", item[below]


def read_array(dataset: H5) -> NDArray[Any]:
    return np.asarray(dataset[()])


def is_dataset(item: H5) -> bool:
    return isinstance(item, h5py.Dataset)


def write_array(group: H5, key: str, value: NDArray[Any]) -> None:
    """Write one dataset: floats as float32, images (of half floats too: depth) compressed frame by frame.

    Low-dimensional signals stay contiguous: compressing them saves 40 % of a file that is small anyway, doubles the
    time to write it and makes every single-step read of Robomimic's loader inflate a whole episode.
    """
    value = np.asarray(value)
    image = str(value.dtype) in ("uint8", "float16") and value.ndim >= 3 and value.size > 0
    if value.dtype.kind == "f" and not image:
        value = value.astype(np.float32, copy=False)
    if image:
        group.create_dataset(key, data=value, chunks=(1, *value.shape[1:]), compression="gzip", compression_opts=1)
    else:
        group.create_dataset(key, data=value)


def write_attrs(item: H5, attrs: Mapping[str, Any]) -> None:
    """Store JSON-able values as attributes: numbers, booleans and text as such, everything else as JSON text.

    Raises:
        TypeError: If a value is not JSON-able.
    """
    for name, value in attrs.items():
        item.attrs[name] = _encode(value)


def read_attrs(item: H5) -> dict[str, Any]:
    """Attributes as Python values. Inverse of `write_attrs`."""
    return {str(name): _decode(value) for name, value in item.attrs.items()}


def _encode(value: Any) -> Any:
    value = _plain(value)
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63) or isinstance(value, float):
        return value
    if isinstance(value, str) and not (value.startswith(_JSON_STARTS) or value == "null" or "\0" in value):
        return value
    return json.dumps(value)


def _decode(value: Any) -> Any:
    value = _plain(value)
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str) and (value.startswith(_JSON_STARTS) or value == "null"):
        try:
            return json.loads(value)
        except ValueError:
            return value  # somebody else's text that only looks like JSON
    return value


def _plain(value: Any) -> Any:
    """The Python value of a numpy scalar or array."""
    return value.tolist() if hasattr(value, "tolist") else value
