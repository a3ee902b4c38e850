"""Videos of the rollouts whose states were kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from apprentice.evaluate.trajectories import Trajectory, read_trajectory, saved_trajectories
from apprentice.progress import Progress, silent
from apprentice.sim.video import Image, write_video


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
