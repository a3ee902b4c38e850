"""Draws demos as videos, from their recorded states. For failed tries of augmentation, and anything else to look at."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apprentice.demos import Demo, DemoFile
from apprentice.demos.durable import write_json
from apprentice.progress import Progress, silent
from apprentice.record.playback import require_playable, task_for
from apprentice.record.render import require_states, states_observed
from apprentice.sim.render import StateRenderer
from apprentice.sim.video import Image, write_video
from apprentice.tasks.session import open_session
from apprentice.tasks.views import task_views

INDEX = "videos.json"
"""What each video shows."""
EVERY = 2
"""Control steps from one frame to the next."""


def draw_videos(path: Path, folder: Path, progress: Progress = silent) -> list[Path]:
    """Draw every demo of a file as an mp4, at the speed at which it happened. Videos that are there are kept.

    Args:
        path: The demo file.
        folder: Where the videos go, with `videos.json`, which says what each of them shows.
        progress: Told of videos drawn.

    Raises:
        UserError: If demos have no recorded states, or images can't be drawn on this machine.
    """
    with DemoFile(path) as file:
        task = task_for(file, file.task)
        entries = {name: _entry(name, file.attrs(name)) for name in file.names}
        for name in file.names:
            require_states(path, name, file.keys(name))
        folder.mkdir(parents=True, exist_ok=True)
        missing = [name for name, entry in entries.items() if not (folder / entry["file"]).exists()]
        if missing:
            with open_session(task, variant=file.meta.get("variant")) as session:
                require_playable(file, session, ["initial_state"])
                view = task_views(session)[0]
                with contextlib.closing(StateRenderer(session, (view,))) as renderer:
                    for done, name in enumerate(missing, 1):
                        frames = _frames(renderer, view.name, file.read(name, ["initial_state", "states"]))
                        write_video(frames, folder / entries[name]["file"], fps=session.control_hz / EVERY)
                        progress.update(done, len(missing), name)
    write_json(folder / INDEX, list(entries.values()))
    return [folder / entry["file"] for entry in entries.values()]


def _entry(name: str, attrs: dict[str, Any]) -> dict[str, Any]:
    failed = attrs.get("failed_try")
    if failed is None:
        return {"file": f"{name}.mp4", "demo": name, "success": attrs.get("success")}
    stem = f"{failed['subtask']}_{failed['cause']}_{failed['attempt']:05d}"
    return {"file": re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_") + ".mp4", "demo": name} | failed


def _frames(renderer: StateRenderer, view: str, demo: Demo) -> Iterator[Image]:
    states = states_observed(demo)
    for step in range(0, demo.length, EVERY):
        yield renderer.render({key: rows[step] for key, rows in states.items()})[view]
