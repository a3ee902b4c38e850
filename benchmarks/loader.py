"""Samples a second that training can draw: our batches against every cache mode of Robomimic's own loader.

    python benchmarks/loader.py [FILE] [--json FILE] [--seq-length 1]

Both serve batches of windows of the same demos, in one process and one thread, to a training loop that asks for nothing
else: 100 windows of numbers, then 16 with two cameras of 84x84 (keys "image_..."). Without FILE the numbers are 200
synthetic demos of 250 steps, with the observations of Franka stacking; the images are always synthetic.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch

from apprentice.demos import DemoFile
from apprentice.learn.data.batches import Batches, WindowCfg, Windows

OBS = {"eef_pos": 3, "eef_quat": 4, "gripper_pos": 2, "object": 39}
BATCH = 100
CAMERAS = {"table_cam": (84, 84, 3), "wrist_cam": (84, 84, 3)}
IMAGE_BATCH = 16


def write_synthetic(path: Path, demos: int = 200, steps: int = 250, cameras: bool = False) -> None:
    """Demos of random numbers: what matters here is their size."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs["format_version"] = 1
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "synthetic", "type": 2})
        for number in range(demos):
            demo = data.create_group(f"demo_{number}")
            demo.attrs["num_samples"] = steps
            demo["actions"] = rng.standard_normal((steps, 7), np.float32)
            for key, width in OBS.items():
                demo[f"obs/{key}"] = rng.standard_normal((steps, width), np.float32)
            for key, shape in CAMERAS.items() if cameras else ():
                demo[f"obs/{key}"] = rng.integers(0, 256, (steps, *shape), np.uint8)


def samples_per_s(draw: Callable[[], object], seconds: float, batch: int) -> float:
    """Rate of `draw`, in samples of processor time, so that other jobs on the machine do not count. Best of three."""
    draw()
    rates: list[float] = []
    for _ in range(3):
        begin, count = time.process_time(), 0
        while time.process_time() - begin < seconds / 3:
            draw()
            count += 1
        rates.append(count * batch / (time.process_time() - begin))
    return max(rates)


def robomimic_loader(path: Path, seq_length: int, cache: str | None, cameras: bool) -> Callable[[], object]:
    from robomimic.utils import obs_utils
    from robomimic.utils.dataset import SequenceDataset
    from torch.utils.data import DataLoader

    images = list(CAMERAS) if cameras else []
    obs_utils.initialize_obs_modality_mapping_from_dict({"low_dim": list(OBS), "rgb": images})
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        dataset = SequenceDataset(
            str(path),
            (*OBS, *images),
            ("actions",),
            seq_length=seq_length,
            hdf5_cache_mode=cache,
            load_next_obs=False,
        )
    loader = DataLoader(dataset, batch_size=IMAGE_BATCH if cameras else BATCH, shuffle=True, drop_last=True)
    batches = iter(loader)

    def draw() -> object:
        nonlocal batches
        try:
            return next(batches)
        except StopIteration:
            batches = iter(loader)
            return next(batches)

    return draw


def our_loader(path: Path, seq_length: int, cameras: bool) -> Callable[[], object]:
    with DemoFile(path) as file:
        arrays, lengths = file.stack(["actions", *(f"obs/{key}" for key in (*OBS, *(CAMERAS if cameras else ())))])
    data = {key: torch.from_numpy(value) for key, value in arrays.items()}
    batches = Batches(
        Windows(data, lengths.tolist(), WindowCfg(seq_length=seq_length)), IMAGE_BATCH if cameras else BATCH
    )
    step = iter(range(10**12))
    return lambda: batches.batch(next(step))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, help="demo file; default: synthetic demos")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--seq-length", type=int, default=1, help="frames in a window; Robomimic's default is 1")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each loader is measured")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        numbers, images = arguments.file or Path(folder) / "numbers.hdf5", Path(folder) / "images.hdf5"
        if not arguments.file:
            write_synthetic(numbers)
        write_synthetic(images, demos=10, steps=100, cameras=True)
        results: dict[str, float] = {}
        for prefix, path in (("", numbers), ("image_", images)):
            batch = IMAGE_BATCH if prefix else BATCH
            draw = our_loader(path, arguments.seq_length, bool(prefix))
            results[f"{prefix}ours"] = samples_per_s(draw, arguments.seconds, batch)
            for name, cache in (("none", None), ("low_dim", "low_dim"), ("all", "all")):
                draw = robomimic_loader(path, arguments.seq_length, cache, bool(prefix))
                results[f"{prefix}robomimic_{name}"] = samples_per_s(draw, arguments.seconds, batch)
                del draw
    for name, rate in results.items():
        ours = results["image_ours" if name.startswith("image_") else "ours"]
        print(f"{name:24} {rate:14,.0f} samples/s   {ours / rate:8.1f}x slower than ours")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
