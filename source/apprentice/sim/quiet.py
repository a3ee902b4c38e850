"""Keeps libraries that talk at start-up off the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Generator

from apprentice.errors import UserError

_SHOWN_ON_FAILURE = 4000


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Keep the set-up chatter of Isaac Lab, Warp and USD off the terminal, unless APPRENTICE_VERBOSE is set.

    Much of it comes from native code, so the file descriptors themselves are turned away. If set-up fails, what was
    said is shown.
    """
    if os.environ.get("APPRENTICE_VERBOSE"):
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as chatter:
        try:
            os.dup2(chatter.fileno(), 1)
            os.dup2(chatter.fileno(), 2)
            yield
        except UserError:
            raise  # says everything itself
        except BaseException:
            chatter.seek(0)
            os.write(kept[1], chatter.read()[-_SHOWN_ON_FAILURE:])
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for target, descriptor in zip((1, 2), kept, strict=True):
                os.dup2(descriptor, target)
                os.close(descriptor)
