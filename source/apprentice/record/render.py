"""Adds camera images to demos, drawn from their recorded states: the replay pass."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from apprentice.demos import AddingCopy, Demo, DemoFile, Tree, write_addition
from apprentice.demos.schema import DEPTH, IMAGE, demo_number
from apprentice.errors import UserError
from apprentice.progress import Progress, silent
from apprentice.record.playback import require_playable, task_for
from apprentice.record.render_cfg import RenderCfg
from apprentice.sim.looks import Looks
from apprentice.sim.render import StateRenderer, detail_for
from apprentice.sim.scene_model import SceneModel, scene_model
from apprentice.sim.views import CameraView
from apprentice.tasks.session import open_session
from apprentice.tasks.views import choose_views


@dataclass(kw_only=True, frozen=True)
class RenderReport:
    output: Path
    """The new file."""
    demos: int
    """Demos in it."""
    images: int
    """Images in it."""

    def summary(self) -> str:
        """What came out, in one sentence."""
        return f"{self.output}: {self.images:,} images in {self.demos} demos."


def render(path: Path, output: Path, cfg: RenderCfg, progress: Progress = silent) -> RenderReport:
    """Copy a demo file and add images to every demo, as obs/<camera>_image, and obs/<camera>_depth if asked.

    Goes on where an earlier run stopped.

    Args:
        path: The demo file. It stays as it is.
        output: The new file.
        cfg: What to draw.
        progress: Told of demos drawn.

    Raises:
        UserError: If demos have no recorded states or images already, a camera is not one of the task's, images can't
            be drawn on this machine, or the output exists or can't be written.
    """
    with DemoFile(path) as file:
        task = task_for(file, cfg.task)
        steps, total = sum(file.length(name) for name in file.names), len(file)
        for name in file.names:
            require_states(path, name, file.keys(name))
    settings = {"task": task, "cameras": list(cfg.cameras), "size": cfg.size, "looks": asdict(cfg.looks)}
    settings |= {"depth": True} if cfg.depth else {}
    keys = [_key(camera) for camera in cfg.cameras]
    keys += [_key(camera + DEPTH) for camera in cfg.cameras if cfg.depth]
    with AddingCopy(path, output, keys, settings) as copy:
        # also with nothing left to draw: the output says where the cameras are
        scene, views = _scene(path, task, cfg)
        todo = copy.missing
        progress.update(total - len(todo), total)
        if todo:
            start = (scene, views, cfg, path, copy.folder)
            with multiprocessing.get_context("spawn").Pool(min(cfg.processes, len(todo)), _start, start) as pool:
                for done, problem in enumerate(pool.imap_unordered(_draw, todo), total - len(todo) + 1):
                    if problem is not None:
                        raise UserError(problem)
                    progress.update(done, total)
        cameras = [asdict(view) for view in views]
        copy.finish({"images": {"size": cfg.size, "cameras": cameras, "looks": asdict(cfg.looks)}})
    return RenderReport(output=output, demos=total, images=steps * len(keys))


def states_observed(demo: Demo) -> Tree:
    """States in which the observations of a demo were made: those before each action. By entity, shapes (T, D)."""
    states = {key.removeprefix("states/"): rows for key, rows in demo.data.items() if key.startswith("states/")}
    return {key: np.concatenate((demo.data[f"initial_state/{key}"], rows[:-1])) for key, rows in states.items()}


def _key(image: str) -> str:
    """Where an image lies, by the name that the renderer gives it."""
    return f"obs/{image}" if image.endswith(DEPTH) else f"obs/{image}{IMAGE}"


def require_states(path: Path, name: str, keys: Sequence[str]) -> None:
    """Check that a demo can be drawn.

    Raises:
        UserError: If it holds no recorded states.
    """
    for group in ("initial_state", "states"):
        if not any(key.startswith(f"{group}/") for key in keys):
            raise UserError(f"{path}, {name}, {group}: expected recorded states, to draw images of, found none.")


def _scene(path: Path, task: str, cfg: RenderCfg) -> tuple[SceneModel, tuple[CameraView, ...]]:
    with open_session(task) as session:
        views = choose_views(session, cfg.cameras)
        with DemoFile(path) as file:
            require_playable(file, session, ["initial_state"])
        return scene_model(session.env, views, detail_for(cfg.size)), views


_renderer: StateRenderer
"""This drawing process's."""
_looks: Looks
"""Of what it draws."""
_demos: DemoFile
"""What it reads from."""
_folder: Path
"""Where it writes to."""


def _start(scene: SceneModel, views: Sequence[CameraView], cfg: RenderCfg, path: Path, folder: Path) -> None:
    global _renderer, _looks, _demos, _folder
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that handed out the work
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # images this small are drawn faster by one thread; other processes use the other cores
    os.environ.setdefault("LP_NUM_THREADS", "0")
    # jagged edges at this size carry as much information as smooth ones, at half the cost
    _renderer = StateRenderer(scene, views, width=cfg.size, height=cfg.size, samples=0, depth=cfg.depth)
    _looks = Looks(scene.model, cfg.looks)
    _demos, _folder = DemoFile(path), folder


def _end_with_parent() -> None:
    # a killed parent leaves its workers waiting for ever
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _draw(name: str) -> str | None:
    """Draw one demo; what went wrong, if anything."""
    try:
        demo = _demos.read(name, ["initial_state", "states"])
        # where nobody noted a seed, the demo's number is one
        _looks.draw(int(demo.attrs.get("seed", demo_number(name) or 0)))
        images = _renderer.render_episode(states_observed(demo))
        write_addition(_folder, name, {_key(image): values for image, values in images.items()})
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"{_folder}: {name} could not be saved: {error.strerror or error}; the same command goes on from there."
    return None
