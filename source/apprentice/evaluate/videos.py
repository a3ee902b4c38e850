"""Videos of the rollouts whose states were kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from apprentice.evaluate.trajectories import Trajectory, read_trajectory, saved_trajectories
from apprentice.progress import Progress, silent

Image = NDArray[np.uint8]
"""RGB. Shape (H, W, 3)."""


def write_video(frames: Iterable[Image], path: Path, *, fps: float) -> None:
    """Write an mp4 that browsers play (H.264, 4:2:0). An odd last row or column is cut off.

    Raises:
        ValueError: If there are no frames.
    """
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise ValueError(f"Expected at least one frame for {path}, got none.")
    height, width = first.shape[0] // 2 * 2, first.shape[1] // 2 * 2
    partial = path.with_name(path.name + ".partial")
    with av.open(str(partial), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.options = {"crf": "26", "preset": "veryfast"}
        for frame in chain([first], remaining):
            even = np.ascontiguousarray(frame[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode(None))
    os.replace(partial, path)


def render_videos(
    directory: Path,
    render: Callable[[Trajectory], Image],
    *,
    control_hz: float,
    every: int = 1,
    progress: Progress = silent,
) -> list[Path]:
    """Draw the kept rollouts of a finished evaluation, at the speed at which they happened.

    Args:
        directory: Output folder of the evaluation; videos go to `videos/` in it. Those already there are kept.
        render: Draws one state, given as a tree whose leaves have a leading axis of one environment.
        control_hz: Control rate of the task.
        every: Draw each this many-th control step.
        progress: Told of drawn frames.

    Returns:
        Paths of all videos, failures first.
    """
    trajectories = saved_trajectories(directory / "trajectories")
    videos = directory / "videos"
    lengths = {path: len(range(0, _length(path), every)) for path in trajectories}
    done, total = 0, sum(lengths.values())
    for path in trajectories:
        video = videos / f"{path.stem}.mp4"
        if not video.exists():
            videos.mkdir(exist_ok=True)
            write_video(_frames(read_trajectory(path), render, every), video, fps=control_hz / every)
        done += lengths[path]
        progress.update(done, total, video.name)
    return [videos / f"{path.stem}.mp4" for path in trajectories]


def _frames(trajectory: Trajectory, render: Callable[[Trajectory], Image], every: int) -> Iterable[Image]:
    for step in range(0, len(next(iter(trajectory.values()))), every):
        yield render({name: value[step : step + 1] for name, value in trajectory.items()})


def _length(path: Path) -> int:
    return len(next(iter(read_trajectory(path).values())))
