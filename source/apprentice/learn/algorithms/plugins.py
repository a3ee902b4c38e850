"""Importing Robomimic, and registering with it what Apprentice adds. Robomimic itself stays as it is."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from apprentice.errors import UserError


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence Robomimic, which reports its inner life on stdout."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def require_robomimic() -> None:
    """Import Robomimic and what we add to it: whoever loads or makes a checkpoint calls this first.

    Raises:
        UserError: If Robomimic is not installed.
    """
    try:
        with quiet():
            from apprentice.learn.algorithms import act, chunked_bc, flow, scaled_actions  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"Expected Robomimic 0.3.0, but {error}; install it with `pip install --no-deps robomimic==0.3.0`"
            " (the README lists what it needs besides)."
        ) from error
