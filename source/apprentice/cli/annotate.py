"""Write where subtasks end into the demos of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from apprentice.cli import leave
from apprentice.cli.output import say
from apprentice.cli.progress import drawn
from apprentice.record.cfg import AnnotateCfg


def main(
    file: tyro.conf.Positional[Path],
    cfg: Annotated[AnnotateCfg, tyro.conf.arg(name="")] = AnnotateCfg(),
) -> None:
    """Play demos back and write their end-effector and object poses and where each subtask ends.

    Annotations that are there already are kept beside the new ones.

    Args:
        file: The demo file (HDF5); changed in place, safely.
        cfg: How to annotate.
    """
    from apprentice.record.annotate import annotate

    with drawn("Annotating") as progress:
        result = annotate(file, cfg, progress)
    say(result.summary())
    leave()
