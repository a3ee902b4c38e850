"""Small demos for the tests of `learn`: a hand that reaches for a cube with relative pose actions, and closes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from apprentice.demos import Demo, DemoWriter
from apprentice.poses import exp_rotation, log_rotation, make_pose, position, rotation, rotation_z


def reaching_demo(rng: np.random.Generator, length: int) -> Demo:
    """One demo: the hand covers a third of the way to the cube in each step."""
    yaw = torch.tensor(rng.uniform(-3, 3), dtype=torch.float32)
    cube = make_pose(torch.tensor([*rng.uniform(-0.2, 0.2, 2), 0.02], dtype=torch.float32), rotation_z(yaw))
    hand = make_pose(
        torch.tensor([*rng.uniform(-0.1, 0.1, 2), 0.3], dtype=torch.float32),
        exp_rotation(torch.tensor([np.pi, 0.0, 0.0]) + torch.tensor(rng.uniform(-0.1, 0.1, 3), dtype=torch.float32)),
    )
    rows: dict[str, list[Any]] = {"eef": [], "target": [], "action": [], "last": []}
    last = torch.zeros(7)
    for step in range(length):
        move = (position(cube) - position(hand)) / 3
        turn = log_rotation(rotation_z(torch.tensor(0.02)) @ rotation(hand) @ rotation(hand).mT)
        action = torch.cat([move, turn, torch.tensor([-1.0 if 2 * step > length else 1.0])])
        target = make_pose(position(hand) + move, exp_rotation(turn) @ rotation(hand))
        for key, value in (("eef", hand), ("target", target), ("action", action), ("last", last)):
            rows[key].append(value.numpy())
        hand, last = target, action
    stacked = {key: np.stack(value).astype(np.float32) for key, value in rows.items()}
    fingers = np.where(stacked["action"][:, 6:] > 0, 0.04, 0.0).repeat(2, 1).astype(np.float32)
    return Demo(
        actions=stacked["action"],
        success=True,
        data={
            "obs/actions": stacked["last"],
            "obs/eef_pos": stacked["eef"][:, :3, 3],
            "obs/gripper_pos": fingers,
            "obs/datagen_info/eef_pose/hand": stacked["eef"],
            "obs/datagen_info/target_eef_pose/hand": stacked["target"],
            "obs/datagen_info/object_pose/cube": np.tile(cube.numpy(), (length, 1, 1)),
        },
    )


def write_demos(path: Path, count: int = 12, length: int = 30, seed: int = 0) -> Path:
    """A file of demos of differing lengths. Returns its path."""
    rng = np.random.default_rng(seed)
    with DemoWriter(path, task="Reach-Cube", meta={"symmetry": {"cube": 4}}) as writer:
        for number in range(count):
            writer.append(reaching_demo(rng, length + number % 3))
    return path


def observation(path: Path, keys: tuple[str, ...], step: int = 0) -> dict[str, torch.Tensor]:
    """The observations of all demos of a file at one step. Shape (demos, ...)."""
    from apprentice.demos import DemoFile

    with DemoFile(path) as file:
        demos = [file.read(name) for name in file.names]
    return {key: torch.from_numpy(np.stack([demo.data["obs/" + key][step] for demo in demos])) for key in keys}
