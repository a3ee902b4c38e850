"""How a rollout or a demo went: where hands and objects were to each other, and what was done of the task.

Nothing here depends on where in the scene something happened, so ways from different initial states can be laid over
each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from apprentice.demos import DemoFile
from apprentice.errors import UserError
from apprentice.evaluate.traces import Trace

Floats = NDArray[np.floating]
Channel = tuple[str, str]
"""Two things whose relation is watched: an end effector and an object, or two objects."""

LEVER_M = 0.05
"""What a turn of 1 rad counts as."""
INFO = "obs/datagen_info"


@dataclass(kw_only=True, frozen=True)
class Way:
    """One episode."""

    name: str
    eefs: Mapping[str, Floats]
    """Pose of each end effector over time. Shapes (T, 4, 4)."""
    objects: Mapping[str, Floats]
    """Pose of each object over time. Shapes (T, 4, 4)."""
    done: NDArray[np.bool_]
    """Which of the task's subtask signals had been true by then. Shape (T, S)."""

    @property
    def stages(self) -> NDArray[np.int64]:
        """The subtasks done, as one number. Shape (T,)."""
        return self.done @ (1 << np.arange(self.done.shape[1]))


def way_of_trace(trace: Trace) -> Way:
    """The way of a rollout."""
    return Way(
        name=str(trace.rollout),
        eefs={name: pose_matrices(pose) for name, pose in trace.eefs.items()},
        objects={name: pose_matrices(pose) for name, pose in trace.objects.items()},
        done=trace.reached,
    )


def ways_of_demos(path: Path, signals: Sequence[str], *, most: int) -> list[Way]:
    """The ways of the successful demos of a file; of more than `most`, an even selection.

    Raises:
        UserError: If it is no demo file, or its demos lack poses or one of the task's subtask signals.
    """
    with DemoFile(path) as file:
        successes = file.masks.get("success")
        names = [name for name in file.names if successes is None or name in set(successes)]
        if not names:
            raise UserError(f"{path}: expected successful demos, found none.")
        names = [names[int(place)] for place in np.linspace(0, len(names) - 1, min(len(names), most))]
        keys = [key for key in file.keys(names[0]) if key.startswith((f"{INFO}/eef_pose/", f"{INFO}/object_pose/"))]
        wanted = [f"{INFO}/subtask_term_signals/{signal}" for signal in signals]
        if not keys or any(key not in file.keys(names[0]) for key in wanted):
            raise UserError(
                f"{path}: expected poses and the subtask signals {', '.join(signals)} in its demos, found others; give "
                "demos of this task that were annotated or augmented."
            )
        arrays, lengths = file.stack([*keys, *wanted], names)
    ends = np.cumsum(lengths)
    ways: list[Way] = []
    for name, start, end in zip(names, ends - lengths, ends, strict=True):
        rows = {key: value[start:end] for key, value in arrays.items()}
        done = np.array([rows[key].reshape(-1).astype(bool) for key in wanted]).reshape(len(wanted), -1).T
        ways.append(
            Way(
                name=name,
                eefs={key.rsplit("/", 1)[1]: rows[key] for key in keys if "/eef_pose/" in key},
                objects={key.rsplit("/", 1)[1]: rows[key] for key in keys if "/object_pose/" in key},
                done=np.logical_or.accumulate(done, axis=0),
            )
        )
    return ways


def features(way: Way, symmetry: Mapping[str, int]) -> dict[Channel, Floats]:
    """How things stood to each other over time, as vectors in metres whose distance says how different it looked.

    Args:
        way: The episode.
        symmetry: Order of rotational symmetry of objects about their vertical axis; 1 if not named.

    Returns:
        By pair of things. Of an end effector and an object, the object as the hand sees it: position, direction of its
        vertical axis, and turn; shape (T, 8). Of two objects: how far they are apart along the ground and in height,
        and how far each is tilted; shape (T, 4).
    """
    found: dict[Channel, Floats] = {}
    for (eef, hand), (name, thing) in itertools.product(way.eefs.items(), way.objects.items()):
        turned = np.swapaxes(hand[:, :3, :3], 1, 2)
        seen = np.einsum("tij,tj->ti", turned, thing[:, :3, 3] - hand[:, :3, 3])
        up = np.einsum("tij,tj->ti", turned, thing[:, :3, 2])
        found[eef, name] = np.hstack((seen, LEVER_M * up, LEVER_M * _turn(hand, thing, symmetry.get(name, 1))))
    for (one, first), (other, second) in itertools.combinations(way.objects.items(), 2):
        offset = second[:, :3, 3] - first[:, :3, 3]
        tilts = [LEVER_M * np.arccos(np.clip(pose[:, 2, 2], -1, 1)) for pose in (first, second)]
        found[one, other] = np.column_stack((np.linalg.norm(offset[:, :2], axis=1), offset[:, 2], *tilts))
    return found


def layout(objects: Mapping[str, Floats], symmetry: Mapping[str, int]) -> Floats:
    """Where objects are on the ground and how they are turned, as a vector in metres. Shape (N, 4 * objects).

    Args:
        objects: Poses. Shapes (N, 4, 4).
        symmetry: Order of rotational symmetry of objects about their vertical axis.
    """
    parts: list[Floats] = []
    for name, pose in objects.items():
        order = symmetry.get(name, 1)
        angle = order * np.arctan2(pose[:, 1, 0], pose[:, 0, 0])
        turn = LEVER_M / order * np.column_stack((np.cos(angle), np.sin(angle)))
        parts += [pose[:, :2, 3], turn]
    return np.hstack(parts) / np.sqrt(max(len(objects), 1))


def _turn(hand: Floats, thing: Floats, order: int) -> Floats:
    """The hand's turn about the object's vertical axis, on a circle that a symmetric object closes earlier. (T, 2)."""
    seen = np.einsum("tji,tj->ti", thing[:, :3, :3], hand[:, :3, 0])
    angle, length = np.arctan2(seen[:, 1], seen[:, 0]), np.linalg.norm(seen[:, :2], axis=1)
    return (length / order)[:, None] * np.column_stack((np.cos(order * angle), np.sin(order * angle)))


def pose_matrices(pose: Floats) -> Floats:
    """Shape (T, 4, 4) from x y z (m) and quaternion xyzw, shape (T, 7)."""
    found = np.tile(np.eye(4), (len(pose), 1, 1))
    found[:, :3, 3] = pose[:, :3]
    found[:, :3, :3] = Rotation.from_quat(pose[:, 3:]).as_matrix()
    return found
