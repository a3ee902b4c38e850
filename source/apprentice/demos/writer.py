"""Writing demos so that whatever was saved stays saved, through `kill -9`, power cuts and full disks."""

from __future__ import annotations

import contextlib
import json
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apprentice.demos import masks
from apprentice.demos.durable import WriterLock, make_folder, reason, replacing
from apprentice.demos.hdf5 import H5, Tree, open_file, write_array, write_attrs
from apprentice.demos.parts import fold, list_parts, not_folded, part_at, parts_folder, start_file, task_of
from apprentice.demos.schema import Demo, demo_number, problems, user_error
from apprentice.errors import UserError

UNDONE = "undone"
"""Group for demos that their operator took back."""

_ROOM_PER_DATASET = 1024
"""Bytes that HDF5 may need beside a dataset's values: headers, links, padding."""


class DemoWriter:
    """Appends demos to a file, one process at a time. A context manager.

    The file itself is at every moment complete and readable by Isaac Lab and Robomimic. A demo is first written to a
    part of its own; parts are folded into the file when they have grown to half its size, and on closing, so that
    writing n demos copies O(n) bytes.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        task: str,
        env_args: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
        resume: bool = False,
    ) -> None:
        """Start a file, or go on with one.

        Args:
            path: The demo file. Its folder is created if missing.
            task: Id of the task, stored as Robomimic's `env_name`.
            env_args: Further entries of Robomimic's environment arguments, such as "sim_args".
            meta: What is the same for all demos: variant, backend, control_hz, objects, subtasks... JSON-able.
            resume: Go on where an earlier writer of this file stopped, or start if there is none. Its `meta` stays.

        Raises:
            UserError: If the file exists and `resume` is off, it holds demos of another task, somebody else is writing
                it, or it cannot be written.
        """
        self.path = Path(path).resolve()
        self._env_args = json.dumps({"env_name": task, "type": 2, "env_kwargs": {}} | (env_args or {}))
        self._meta = json.dumps({"task": task} | (meta or {}))
        self._part_bytes = 0
        self._fold_at = 0
        self._lock = WriterLock(self.path)
        try:
            self._open(task, resume)
        except OSError as error:
            self._lock.release()
            raise UserError(f"{self.path}: cannot be written, because {reason(error)}.") from None
        except BaseException:
            self._lock.release()
            raise

    def _open(self, task: str, resume: bool) -> None:
        exists = self.path.exists()
        if not resume and (exists or list_parts(self.path)):
            what = "file" if exists else f"interrupted recording, {parts_folder(self.path).name}"
            raise UserError(
                f"{self.path}: expected to start a new file, found an existing {what}, which is never overwritten; "
                f"choose another output, or resume to add to it."
            )
        if not exists:
            with replacing(self.path) as file:
                start_file(file, env_args=self._env_args, meta=self._meta)
        fold(self.path)
        with open_file(self.path) as file:
            if "data" not in file:
                raise user_error(self.path, "", "data", "expected a group that holds the demos, found none")
            if task_of(file) != task:
                raise UserError(
                    f"{self.path}: expected demos of task {task} to resume from, found task {task_of(file)}; choose "
                    f"another output or that task."
                )
            self._count = len(file["data"])
            self._next = {
                group: 1 + max((demo_number(name) or 0 for name in file[group]), default=-1) for group in file
            }
        self._fold_at = self.path.stat().st_size // 2

    @property
    def num_demos(self) -> int:
        """Demos saved in "data", those of earlier writers included."""
        return self._count

    def append(self, demo: Demo, group: str = "data") -> str:
        """Save a demo. When this returns, the demo is on disk to stay.

        Args:
            demo: What to save. Floats are stored as float32. "rewards" and "dones" are added where missing: 1 at the
                last step of a success, and at the last step.
            group: Where it goes: "data", or another such as "failed", which readers leave alone unless asked.

        Returns:
            The demo's name, "demo_<k>", numbered within its group.

        Raises:
            UserError: If the demo is malformed, or cannot be written. What was saved before stays, and the writer can
                go on.
        """
        if self._lock.released:
            raise ValueError(f"Expected an open writer of {self.path}, got a closed one.")
        if not group.isidentifier() or group == "mask":
            raise ValueError(f"Expected a group such as 'data' or 'failed', got {group!r}.")
        name = self._free_name(group)
        arrays = _complete(demo)
        for key, text in problems(arrays):
            raise user_error(self.path, f"{name} (not saved)", key, text)
        part = part_at(self.path, group, name)
        room = sum(value.nbytes + _ROOM_PER_DATASET for value in arrays.values()) + (1 << 14)
        try:
            make_folder(part.path.parent)
            with replacing(part.path, room=room) as file:
                start_file(file, env_args=self._env_args, meta=self._meta)
                _write_demo(file.require_group(group).create_group(name), demo, arrays)
        except OSError as error:
            raise UserError(
                f"{self.path}: {name} was not saved, because {reason(error)}, then resume; the {self._count} demos "
                f"saved before are safe."
            ) from None
        self._next[group] = (demo_number(name) or 0) + 1
        self._count += group == "data"
        self._part_bytes += part.num_bytes
        if self._part_bytes > self._fold_at:
            with contextlib.suppress(OSError):  # the demo is safe in its part; closing tries again, and says so
                fold(self.path)
                self._part_bytes = 0
            self._fold_at = max(self.path.stat().st_size, self._part_bytes) // 2 + self._part_bytes
        return name

    def retract(self, name: str, group: str = UNDONE) -> str:
        """Take a demo out of "data" again, without losing it. Killed at any time, it is in one group or the other.

        Args:
            name: The demo, as `append` named it.
            group: Where it goes.

        Returns:
            Its name there. If it was the last one of "data", the next demo gets its number.

        Raises:
            UserError: If there is no such demo, or the file cannot be written.
        """
        try:
            fold(self.path)
            with replacing(self.path, base=self.path, room=_ROOM_PER_DATASET) as file:
                data, there = file["data"], file.require_group(group)
                if name not in data:
                    raise user_error(self.path, name, "", "expected a demo to take out, found no such demo")
                new_name = f"demo_{1 + max((demo_number(other) or 0 for other in there), default=-1)}"
                data.attrs["total"] = int(data.attrs["total"]) - int(data[name].attrs["num_samples"])
                file.move(f"data/{name}", f"{group}/{new_name}")
                masks.write(file, {mask: [n for n in names if n != name] for mask, names in masks.read(file).items()})
                numbers = {
                    key: 1 + max((demo_number(n) or 0 for n in file[key]), default=-1) for key in ("data", group)
                }
        except OSError as error:
            raise UserError(f"{self.path}: {name} stays where it was, because {reason(error)}.") from None
        self._next |= numbers
        self._count -= 1
        self._part_bytes = 0
        return new_name

    def _free_name(self, group: str) -> str:
        number = self._next.get(group, 0)
        while part_at(self.path, group, f"demo_{number}").path.exists():
            number += 1  # Ctrl-C came after a part was in place, before it was counted
        return f"demo_{number}"

    def close(self) -> None:
        """Fold what is left into the file and let others write it. Doing so twice does nothing.

        Raises:
            UserError: If the disk is full. Every demo is safe, but some only our own reader sees yet.
        """
        if self._lock.released:
            return
        try:
            fold(self.path)
        except OSError as error:
            raise not_folded(self.path, error) from None
        finally:
            self._lock.release()

    def __enter__(self) -> DemoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            with contextlib.suppress(UserError):  # the error under way matters more, and nothing is lost
                self.close()


def _complete(demo: Demo) -> Tree:
    """All arrays of a demo as they will be stored, Robomimic's rewards and dones included."""
    arrays = {"actions": demo.actions} | demo.data
    arrays = {key: _as_stored(np.asarray(value)) for key, value in arrays.items()}
    last = np.zeros(arrays["actions"].shape[:1], np.float32)
    last[..., -1:] = 1
    return {"rewards": last * demo.success, "dones": last.astype(np.uint8)} | arrays


def _as_stored(value: NDArray[Any]) -> NDArray[Any]:
    if value.dtype.kind != "f":
        return value
    with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
        return value.astype(np.float32, copy=False)


def _write_demo(group: H5, demo: Demo, arrays: Tree) -> None:
    for key, value in arrays.items():
        write_array(group, key, value)
    attrs = {"demo_id": uuid.uuid4().hex} | demo.attrs
    write_attrs(group, attrs | {"num_samples": demo.length, "success": bool(demo.success)})
