"""The optional package."""

from __future__ import annotations

import importlib
from typing import Any

from apprentice.errors import UserError


def isaacteleop(module: str) -> Any:
    """One of NVIDIA's modules, by its name below `isaacteleop`.

    Raises:
        UserError: If the package is not installed.
    """
    try:
        return importlib.import_module(f"isaacteleop.{module}")
    except ImportError as error:
        raise UserError(
            "Expected NVIDIA's Isaac Teleop, found that it does not load "
            f"({error}): run `pip install 'isaaclab-apprentice[xr]'`."
        ) from error
