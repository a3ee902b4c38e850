"""How fast the demo store writes, opens and reads, against Isaac Lab's own recorder file handler on the same demos.

    python benchmarks/store.py [FILE] [--demos 1000] [--json FILE]

Writes the demos of FILE over and over until there are as many as asked for, each one safe on disk (fsync) when its
write returns; Isaac Lab's handler flushes after each and syncs nothing. Without FILE the demos are synthetic, with the
arrays of the Franka stack task and 250 steps each. `_s` is wall clock, `_cpu_s` processor time, which other jobs on the
machine do not lengthen as much.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from isaaclab.utils.datasets import EpisodeData, HDF5DatasetFileHandler

from apprentice.demos import Demo, DemoFile, DemoWriter

TRAINED_ON = ["actions", "obs/eef_pos", "obs/eef_quat", "obs/gripper_pos", "obs/object"]
WIDTHS = {"actions": 7, "cube_orientations": 12, "cube_positions": 9, "eef_pos": 3, "eef_quat": 4, "gripper_pos": 2}
WIDTHS |= {"joint_pos": 9, "joint_vel": 9, "object": 39}
STATE = {"root_pose": 7, "root_velocity": 6}
CUBES = ("cube_1", "cube_2", "cube_3")


def synthetic(index: int, steps: int = 250) -> Demo:
    """Random numbers in the shapes of the Franka stack task: what matters here is their size."""
    rng = np.random.default_rng(index)
    shapes = {f"obs/{key}": (steps, width) for key, width in WIDTHS.items()}
    info = "obs/datagen_info"
    shapes |= {f"{info}/{kind}_pose/franka": (steps, 4, 4) for kind in ("eef", "target_eef")}
    shapes |= {f"{info}/object_pose/{cube}": (steps, 4, 4) for cube in CUBES}
    for group, rows in (("initial_state", 1), ("states", steps)):
        shapes |= {
            f"{group}/rigid_object/{cube}/{key}": (rows, width) for cube in CUBES for key, width in STATE.items()
        }
        robot = STATE | {"joint_position": 9, "joint_velocity": 9}
        shapes |= {f"{group}/articulation/robot/{key}": (rows, width) for key, width in robot.items()}
    data = {key: rng.standard_normal(shape, np.float32) for key, shape in shapes.items()}
    data |= {f"{info}/subtask_term_signals/{name}": np.arange(steps) > 90 for name in ("grasp_1", "grasp_2", "stack_1")}
    actions = rng.standard_normal((steps, 7), np.float32)
    return Demo(actions=actions, data=data, success=True, attrs={"seed": index, "operator": "scripted"})


def load(path: Path | None) -> list[Demo]:
    if path is None:
        return [synthetic(index) for index in range(10)]
    with DemoFile(path) as file:
        return [file.read(name) for name in file.names]


def timed(name: str, work: Callable[[], object]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {f"{name}_s": time.perf_counter() - wall, f"{name}_cpu_s": time.process_time() - cpu}


def write_ours(path: Path, demos: list[Demo], count: int) -> None:
    with DemoWriter(path, task="benchmark") as writer:
        for index in range(count):
            writer.append(demos[index % len(demos)])


def write_theirs(path: Path, demos: list[Demo], count: int) -> None:
    handler = HDF5DatasetFileHandler()
    handler.create(str(path), env_name="benchmark")
    for index in range(count):
        demo = demos[index % len(demos)]
        episode = EpisodeData()
        tree: dict[str, object] = {}
        for key, value in (demo.data | {"actions": demo.actions}).items():
            *groups, last = key.split("/")
            inner = tree
            for group in groups:
                inner = inner.setdefault(group, {})
            inner[last] = torch.from_numpy(value)
        episode.data = tree
        episode.success = demo.success
        handler.write_episode(episode)
        handler.flush()
    handler.close()


def measure(folder: Path, demos: list[Demo], count: int) -> dict[str, float]:
    ours, theirs = folder / "ours.hdf5", folder / "theirs.hdf5"
    result: dict[str, float] = {"demos": count}
    result["steps"] = sum(demos[index % len(demos)].length for index in range(count))
    result |= timed("write", lambda: write_ours(ours, demos, count))
    result |= timed("isaaclab_write", lambda: write_theirs(theirs, demos, count))
    result |= timed("open", lambda: DemoFile(ours).close())
    with DemoFile(ours) as file:
        result |= timed("stack", lambda: file.stack(TRAINED_ON))
        result |= timed("read", lambda: [file.read(name) for name in file.names])
    result |= timed("resume", lambda: DemoWriter(ours, task="benchmark", resume=True).close())
    result["mb"] = os.path.getsize(ours) / 1e6
    result["isaaclab_mb"] = os.path.getsize(theirs) / 1e6
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="demos to write; default: synthetic ones")
    parser.add_argument("--demos", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), load(args.file), args.demos)
    for key, value in result.items():
        print(f"{key:18} {value:10.3f}" if isinstance(value, float) else f"{key:18} {value:10}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
