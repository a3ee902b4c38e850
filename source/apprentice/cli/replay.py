"""Play demos back open-loop and certify those that reproduce bit for bit."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import tyro

from apprentice.cli import leave
from apprentice.cli.output import say
from apprentice.cli.progress import drawn
from apprentice.record.cfg import ReplayCfg


def main(
    file: tyro.conf.Positional[Path],
    cfg: Annotated[ReplayCfg, tyro.conf.arg(name="")] = ReplayCfg(),
    frames: bool = False,
    json: Path | None = None,
) -> None:
    """Play every demo back from its initial state, its actions only, and say how far it ends from what was recorded.

    Args:
        file: The demo file (HDF5). On `native`, a certificate is written into demos that reproduce.
        cfg: How to replay.
        frames: Replay what the operator did instead of the actions: the frames that were logged beside the file go
            through the whole teleoperation path again.
        json: Write the result of every demo to this file too.
    """
    from apprentice.record.redrive import redrive
    from apprentice.record.replay import replay

    with drawn("Replaying") as progress:
        report = redrive(file, cfg, progress) if frames else replay(file, cfg, progress)
    if json is not None:
        json.write_text(json_format.dumps(asdict(report), indent=1))
    say(report.summary())
    leave()
