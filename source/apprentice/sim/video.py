"""Writes videos that browsers play."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

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
