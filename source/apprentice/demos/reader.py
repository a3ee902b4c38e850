"""Reading demos: ours, Isaac Lab's, and those of any file in the same schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apprentice.demos import masks
from apprentice.demos.hdf5 import H5, dataset_keys, expand_keys, is_dataset, read_array, read_attrs
from apprentice.demos.mapped import mapped
from apprentice.demos.parts import list_parts, task_of
from apprentice.demos.schema import Demo, not_finite, problems, user_error
from apprentice.demos.view import StoreView
from apprentice.errors import UserError


class DemoFile:
    """The demos of a file, in numeric order, read when asked for. A context manager.

    It may be open while a writer adds to the file, and goes on showing the demos that were there when it was opened.
    """

    def __init__(self, path: str | Path, *, group: str = "data") -> None:
        """Open a file and check that its demos fit together.

        Args:
            path: The demo file.
            group: Which top-level group to read: "data", or another such as "failed".

        Raises:
            UserError: If it is not a demo file, a demo has no or no valid actions, or action widths differ.
        """
        self.path = Path(path).resolve()
        self._view = StoreView(self.path, group)
        try:
            self.names = self._view.names
            """Names of the demos in numeric order."""
            self._lengths, self.action_dim = self._survey()
        except BaseException:
            self._view.close()
            raise

    @property
    def format_version(self) -> int:
        """Version of Isaac Lab's dataset format."""
        return self._view.format_version

    @property
    def task(self) -> str | None:
        """Task id, None if the file names none."""
        return self.meta.get("task") or task_of(self._view.file)

    @property
    def env_args(self) -> dict[str, Any]:
        """Robomimic's environment arguments, empty if the file has none."""
        return self._json("env_args")

    @property
    def meta(self) -> dict[str, Any]:
        """What is the same for all demos: variant, backend, objects... Empty in files of other programs."""
        return self._json("apprentice")

    @property
    def masks(self) -> dict[str, list[str]]:
        """Names of demos by mask: "train", "valid", "success" and what else the file has. Empty if it has none."""
        there, unfolded = self._view.masks, self._view.unfolded
        return masks.extended(there, {name: self.succeeded(name) for name in unfolded}) if unfolded else there

    def __len__(self) -> int:
        return len(self.names)

    def __enter__(self) -> DemoFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._view.close()

    def length(self, name: str) -> int:
        """Control steps of a demo."""
        self._require(name)
        return self._lengths[name]

    def attrs(self, name: str) -> dict[str, Any]:
        """Where a demo comes from: seed, operator, versions, certificate..."""
        with self._view.demo(name) as group:
            attrs = read_attrs(group)
        return {key: value for key, value in attrs.items() if key not in ("num_samples", "success")}

    def keys(self, name: str) -> list[str]:
        """Paths of all arrays of a demo, "actions" among them."""
        with self._view.demo(name) as group:
            return dataset_keys(group)

    def read(self, name: str, keys: Sequence[str] | None = None) -> Demo:
        """Read a demo.

        Args:
            name: Which one.
            keys: Paths of the arrays to read beside the actions; one that names a group stands for all below it. None
                reads all.

        Raises:
            UserError: If there is no such demo or array, or what is read is not finite or of the wrong length.
        """
        wanted = None if keys is None else list(dict.fromkeys(("actions", *keys)))
        with self._view.demo(name) as group:
            tree = {key: self._array(name, key, data) for key, data in self._expand(name, group, wanted)}
            success = bool(group.attrs.get("success", True))
            attrs = read_attrs(group)
        for key, text in problems(tree):
            raise user_error(self.path, name, key, text)
        attrs = {key: value for key, value in attrs.items() if key not in ("num_samples", "success")}
        return Demo(actions=tree.pop("actions"), data=tree, success=success, attrs=attrs, name=name)

    def stack(
        self, keys: Sequence[str], names: Sequence[str] | None = None, images_on: Path | None = None
    ) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
        """Read some arrays of many demos, one after the other in memory: what policies are trained from.

        Args:
            keys: Paths of the arrays, one row per step, such as "actions" and "obs/eef_pos".
            names: Which demos, in this order. None takes all.
            images_on: Folder on whose disk images are put, to be mapped into memory: they may be larger than it. The
                files have no names and end with the arrays. None puts them into memory.

        Returns:
            By key the rows of all demos, shape (sum of lengths, ...), and the length of each demo, shape (demos,).
            Images are bytes, or half floats (depth); everything else is as in the file.

        Raises:
            UserError: If an array is missing, not finite, or differs in shape from that of the other demos, or if the
                disk is too small for the images.
        """
        names = self.names if names is None else list(names)
        lengths = np.array([self.length(name) for name in names], np.int64)
        ends = np.cumsum(lengths)
        stacked: dict[str, NDArray[Any]] = {}
        for name, start, end in zip(names, ends - lengths, ends, strict=True):
            with self._view.demo(name) as group:
                for key in keys:
                    dataset = self._dataset(name, key, group)
                    whole = stacked.get(key)
                    if whole is None:
                        shape = (int(lengths.sum()), *dataset.shape[1:])
                        image = len(shape) == 4
                        dtype = np.float16 if image and dataset.dtype.kind == "f" else dataset.dtype
                        on_disk = images_on if image else None
                        whole = mapped(on_disk, shape, dtype) if on_disk else np.empty(shape, dtype)
                        stacked[key] = whole
                    expected = (int(end - start), *whole.shape[1:])
                    if dataset.shape != expected:
                        text = f"expected shape {expected}, found {dataset.shape}"
                        raise user_error(self.path, name, key, text)
                    whole[start:end] = self._array(name, key, dataset)
        self._require_finite(stacked, names, ends)
        return stacked, lengths

    def _require_finite(self, stacked: dict[str, NDArray[Any]], names: Sequence[str], ends: NDArray[np.int64]) -> None:
        for key, whole in stacked.items():
            if not_finite(whole) is None:
                continue
            for name, rows in zip(names, np.split(whole, ends[:-1]), strict=True):
                if (text := not_finite(rows)) is not None:
                    raise user_error(self.path, name, key, text)

    @property
    def num_bytes(self) -> int:
        """Size on disk, of demos that are not yet folded in too."""
        return self.path.stat().st_size + sum(part.num_bytes for part in list_parts(self.path))

    def copy(self, name: str, group: H5, new_name: str) -> H5:
        """Copy a demo, as it is stored, into an open HDF5 group; its copy there."""
        with self._view.demo(name) as demo:
            demo.file.copy(demo, group, name=new_name)
        return group[new_name]

    def succeeded(self, name: str) -> bool:
        """Whether a demo ends with the task solved; foreign files that do not say so hold solved ones only."""
        with self._view.demo(name) as group:
            return bool(group.attrs.get("success", True))

    def _survey(self) -> tuple[dict[str, int], int | None]:
        lengths: dict[str, int] = {}
        width: int | None = None
        for name in self.names:
            with self._view.demo(name) as group:
                shape = self._dataset(name, "actions", group).shape
                samples = int(group.attrs.get("num_samples", shape[0] if shape else 0))
            if len(shape) != 2 or 0 in shape:
                text = f"expected shape (steps, action width) with at least one of each, found {tuple(shape)}"
                raise user_error(self.path, name, "actions", text)
            width = shape[1] if width is None else width
            if shape[1] != width:
                text = f"expected {width} columns as in {self.names[0]}, found {shape[1]}"
                raise user_error(self.path, name, "actions", text)
            if samples != shape[0]:
                text = f"expected {samples} steps as its num_samples says, found {shape[0]}"
                raise user_error(self.path, name, "actions", text)
            lengths[name] = shape[0]
        return lengths, width

    def _require(self, name: str) -> None:
        if name not in self._lengths:
            with self._view.demo(name):
                pass  # raises, saying which demos there are

    def _dataset(self, name: str, key: str, group: H5) -> H5:
        dataset = group.get(key)
        if dataset is None:
            raise self._missing(name, key, group)
        if not is_dataset(dataset):
            raise user_error(self.path, name, key, f"expected an array, found a group of {', '.join(dataset)}")
        return dataset

    def _expand(self, name: str, group: H5, keys: list[str] | None) -> list[tuple[str, H5]]:
        for key in keys or ():
            if key not in group:
                raise self._missing(name, key, group)
        return list(expand_keys(group, keys))

    def _missing(self, name: str, key: str, group: H5) -> UserError:
        there = ", ".join(dataset_keys(group)) or "nothing"
        return user_error(self.path, name, key, f"expected this array, found only {there}")

    def _array(self, name: str, key: str, dataset: H5) -> NDArray[Any]:
        try:
            return read_array(dataset)
        except OSError as error:
            text = f"expected readable data, found damage ({error}); copy the file again"
            raise user_error(self.path, name, key, text) from None

    def _json(self, attribute: str) -> dict[str, Any]:
        text = self._view.file["data"].attrs.get(attribute)
        try:
            value: Any = {} if text is None else json.loads(text)
            return dict(value)
        except (ValueError, TypeError):
            found = f"expected a JSON object, found {text!r}"
            raise user_error(self.path, "", f"data.attrs[{attribute!r}]", found) from None


def require_readable(path: str | Path) -> None:
    """Refuse a damaged file early: in a moment, before what wants to use it imports anything large.

    Raises:
        UserError: If the file can't be read, holds no demos, or its actions are not finite or not all of one width.
    """
    with DemoFile(path) as file:
        if not file.names:
            raise UserError(f"{path}: expected demos, found none.")
        for name in file.names:
            file.read(name, [])
