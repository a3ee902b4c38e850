"""Draw demos from their recorded states: images to learn from, or videos to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from apprentice.cli import leave
from apprentice.cli.output import say
from apprentice.cli.progress import drawn
from apprentice.record.render_cfg import RenderCfg


def main(
    file: tyro.conf.Positional[Path],
    output: Path,
    cfg: Annotated[RenderCfg, tyro.conf.arg(name="")] = RenderCfg(),
    videos: bool = False,
) -> None:
    """Write a copy of a demo file in which every demo has images too, as obs/<camera>_image (and _depth).

    Args:
        file: The demo file (HDF5). It stays as it is.
        output: The new demo file, or the folder for videos. An interrupted command goes on where it stopped.
        cfg: What to draw.
        videos: Draw every demo as a video instead, for people: of FILE.failures.hdf5, why augmentation failed.
    """
    if videos:
        from apprentice.record.videos import draw_videos

        with drawn("Drawing") as progress:
            drawn_videos = draw_videos(file, output, progress)
        say(f"{len(drawn_videos)} videos in {output}.")
        leave()
    from apprentice.record.render import render

    with drawn("Drawing") as progress:
        report = render(file, output, cfg, progress)
    say(report.summary())
    leave()
