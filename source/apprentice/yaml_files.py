"""Reading what users write in YAML, with errors that say what is wrong with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from apprentice.errors import UserError


@contextlib.contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Load and check a file inside, through OmegaConf.

    Args:
        path: The file.
        what: What it is expected to be, such as "a sweep".

    Raises:
        UserError: If it can't be read, or says something that is not known there.
    """
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        yield
    except OSError as error:
        raise UserError(f"Expected {what} in {path}, but it can't be read: {error.strerror}.") from error
    except (OmegaConfBaseException, YAMLError) as error:
        raise UserError(f"Expected {path} to be {what}, found: {' '.join(str(error).split())}") from error
