"""Cheaper launches of Warp kernels on the CPU.

Packing a kernel's arguments in Python takes Warp longer than most kernels take to run on some hundred environments, and
a control step launches about ninety of them, nearly always with the same arrays as in the step before. Isaac Lab
replays recorded launches on CUDA only; this does it for the CPU.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from typing import Any

import warp as wp

_MISSES = 50
"""Different argument lists after which a kernel is taken to have new arrays each time, and is no longer remembered."""


def install() -> None:
    """Make `wp.launch` remember what it packed, in this process. Harmless when repeated."""
    if not isinstance(wp.launch, RememberedLaunches):
        wp.launch = RememberedLaunches(wp.launch)


class RememberedLaunches:
    """Stands in for `wp.launch`: same arguments, same effect."""

    def __init__(self, launch: Any) -> None:
        self._launch = launch
        self._commands: dict[tuple[Any, ...], Any] = {}
        self._misses: Counter[Any] = Counter()

    def __call__(
        self,
        kernel: Any,
        dim: Any,
        inputs: Any = (),
        outputs: Any = (),
        *others: Any,
        device: Any = None,
        **options: Any,
    ) -> Any:
        on_cpu = (device if isinstance(device, wp.Device) else wp.get_device(device)).is_cpu
        if others or options or not on_cpu or self._misses[kernel] > _MISSES:
            return self._launch(kernel, dim, inputs, outputs, *others, device=device, **options)
        key = _key(kernel, dim, inputs, outputs)
        command = self._commands.get(key) if key is not None else None
        if command is None:
            if key is None:
                return self._launch(kernel, dim, inputs, outputs, device=device)
            self._misses[kernel] += 1
            command = self._launch(kernel, dim, inputs, outputs, device=device, record_cmd=True)
            if command is None:  # nothing to do for no threads
                return None
            self._commands[key] = command
        command.launch()
        return None


def _key(kernel: Any, dim: Any, inputs: Any, outputs: Any) -> tuple[Any, ...] | None:
    """What the packed arguments depend on, or None if some argument is of a kind that is not followed here."""
    key = [kernel, tuple(dim) if isinstance(dim, (list, tuple)) else dim]
    for arguments in (inputs, outputs):
        for value in arguments:
            kind = type(value)
            if kind is wp.array:
                # with gradients, more than this would be packed
                if value.requires_grad:
                    return None
                key += (value.ptr, value.shape, value.strides, value.dtype)
            elif kind in (int, float, bool) or value is None:
                key += (kind, value)
            elif isinstance(value, ctypes.Array):
                key += (kind, bytes(value))
            else:
                return None
    return tuple(key)
