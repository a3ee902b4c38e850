"""OpenGL without a screen, for MuJoCo's renderer."""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from apprentice.errors import UserError

_LIBRARIES: Mapping[str, Sequence[str]] = {
    # libEGL itself only dispatches; one of the vendors' libraries does the work
    "egl": ("libEGL.so.1", "libEGL_mesa.so.0|libEGL_nvidia.so.0"),
    "osmesa": ("libOSMesa.so.8|libOSMesa.so.6",),
}
"""Shared libraries that each way of drawing needs on Linux; alternatives are separated by "|"."""

_PACKAGES: Mapping[str, Sequence[str]] = {"egl": ("libegl1", "libgl1-mesa-dri"), "osmesa": ("libosmesa6",)}
"""Debian and Ubuntu packages with those libraries."""


def missing_packages() -> tuple[str, ...]:
    """System packages to install before images can be drawn; empty if they can be."""
    if sys.platform != "linux" or _usable() is not None:
        return ()
    return tuple(_PACKAGES[os.environ.get("MUJOCO_GL", "egl").lower()])


def open_context(width: int, height: int) -> Any:
    """Create an OpenGL context for images of at most this size and make it this thread's current one.

    Uses EGL (graphics card or processor) or else OSMesa (processor); `MUJOCO_GL` chooses between them.

    Raises:
        UserError: If the machine has neither.
    """
    kind = _usable() if sys.platform == "linux" else {"darwin": "cgl"}.get(sys.platform, "glfw")
    if kind is None:
        raise UserError(
            "Expected EGL or OSMesa for drawing images without a screen, found neither: run "
            f"`apt-get install {' '.join(missing_packages())}` (Debian, Ubuntu) or your system's like."
        )
    try:
        context = importlib.import_module(f"mujoco.{kind}").GLContext(width, height)
        context.make_current()
    except Exception as error:  # what is raised depends on the graphics driver
        raise UserError(
            f"Expected to draw images with OpenGL through {kind}, found: {error}. Set MUJOCO_GL to egl or osmesa to "
            "use the other way, or repair the graphics driver."
        ) from error
    return context


def _usable() -> str | None:
    """How images can be drawn on this Linux machine, or None if they can't."""
    chosen = os.environ.get("MUJOCO_GL", "").lower()
    if chosen and chosen not in _LIBRARIES:
        raise UserError(f"Expected MUJOCO_GL to be egl or osmesa, found '{chosen}': unset it or choose one of them.")
    kinds = [chosen] if chosen else list(_LIBRARIES)
    return next((kind for kind in kinds if all(_loads(names) for names in _LIBRARIES[kind])), None)


def _loads(names: str) -> bool:
    for name in names.split("|"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False
