"""A toy task: a hand pushes a button, then rests on a pad. A whole simulation in a few lines of torch.

The hand goes where its action says and presses the button by being near it. Slippery buttons are missed from one side,
so that a subtask can fail and a snapshot is worth going back to.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from apprentice.augment.cfg import AugmentCfg
from apprentice.augment.generator import Generator
from apprentice.augment.planning.plan import Planner
from apprentice.augment.sources.demos import load_source
from apprentice.demos import Demo, DemoWriter
from apprentice.poses import make_pose, position

NEAR_M = 0.02
LENGTH = 40


def subtask(name: str, signal: str | None, offsets: tuple[int, int] = (0, 0)) -> SimpleNamespace:
    return SimpleNamespace(
        object_ref=name,
        subtask_term_signal=signal,
        subtask_term_offset_range=offsets,
        first_subtask_start_offset_range=(0, 0),
        selection_strategy="random",
        selection_strategy_kwargs={},
        action_noise=0.01,
        num_interpolation_steps=5,
        num_fixed_steps=0,
        apply_noise_during_interpolation=False,
    )


SUBTASKS = {"hand": [subtask("button", "press", (2, 4)), subtask("pad", None)]}


def at(xyz: torch.Tensor) -> torch.Tensor:
    return make_pose(xyz, torch.eye(3).expand(*xyz.shape[:-1], 3, 3))


class PushWorld:
    """N worlds."""

    task, variant, backend, control_hz = "Toy-Push", None, "toy", 20.0

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.env = SimpleNamespace(
            num_envs=num_envs,
            target_eef_poses_to_actions=lambda targets, grippers: torch.cat(
                (position(targets["hand"]) - self.hand, grippers["hand"]), 1
            ),
            actions_to_gripper_actions=lambda actions: {"hand": actions[..., -1:]},
            action_to_target_eef_pose=lambda actions: {"hand": at(self.hand + actions[:, :3])},
            cfg=SimpleNamespace(
                datagen_config=SimpleNamespace(generation_select_src_per_subtask=True),
                decimation=1,
                sim=SimpleNamespace(physics="toy"),
            ),
            physics_dt=0.05,
            action_manager=SimpleNamespace(
                active_terms=["hand"], get_term=lambda name: SimpleNamespace(processed_actions=self.hand)
            ),
        )
        self.task_info = SimpleNamespace(
            eef_names=("hand",),
            objects=("button", "pad"),
            symmetry={"button": 1, "pad": 1},
            cubes=(),
            subtasks={"hand": (("button", "press"), ("pad", None))},
            descriptions={"hand": ("Press the button", "")},
            mimic=True,
        )
        self.hand, self.button, self.pad = (torch.zeros(num_envs, 3) for _ in range(3))
        self.slippery = torch.zeros(num_envs)
        self.pressed = torch.zeros(num_envs)
        self.physics = [None] * num_envs
        self.steps_taken = 0

    @property
    def _buffers(self):
        return self.hand, self.button, self.pad, self.slippery, self.pressed

    def reset(self, env_ids, seeds):
        for env_id, seed in zip(env_ids, seeds, strict=True):
            generator = torch.Generator().manual_seed(seed)
            self.button[env_id] = torch.rand(3, generator=generator) * 0.2 + torch.tensor([0.3, 0.0, 0.0])
            self.pad[env_id] = torch.rand(3, generator=generator) * 0.2 + torch.tensor([0.0, 0.4, 0.0])
            self.slippery[env_id] = float(seed % 3 == 0)
            self.hand[env_id], self.pressed[env_id] = 0.0, 0.0
        return self.observe()

    def step(self, actions, active=None):
        active = torch.ones(self.num_envs, dtype=torch.bool) if active is None else active
        self.steps_taken += 1
        self.hand += actions[:, :3] * active[:, None]
        touching = ((self.hand - self.button).norm(dim=1) < NEAR_M) & active
        # a slippery button gives way to whoever comes from one side
        slips = (self.slippery > 0) & (self.hand[:, 0] < self.button[:, 0])
        self.pressed = torch.where(touching & ~slips, 1.0, self.pressed)
        return self.observe()

    def observe(self):
        return {
            "hand": self.hand.clone(),
            "datagen_info/eef_pose/hand": at(self.hand.clone()),
            "datagen_info/object_pose/button": at(self.button.clone()),
            "datagen_info/object_pose/pad": at(self.pad.clone()),
        }

    def eef_poses(self):
        return {"hand": at(self.hand.clone())}

    def object_poses(self):
        return {"button": at(self.button), "pad": at(self.pad)}

    def neutral_actions(self):
        return torch.zeros(self.num_envs, 4)

    def success(self):
        return ((self.hand - self.pad).norm(dim=1) < NEAR_M) & (self.pressed > 0)

    def subtask_signals(self):
        return {"press": self.pressed > 0}

    def collision_scenes(self):
        return {}

    def state(self):
        return {
            "rigid_object/hand/root_pose": self.hand.clone(),
            "rigid_object/button/root_pose": torch.cat((self.button, self.pressed[:, None]), 1),
        }

    def set_physics(self, env_ids, physics):
        for env_id, one in zip(env_ids, physics, strict=True):
            self.physics[env_id] = one

    def snapshot(self, env_ids):
        return Rows(tuple(buffer[list(env_ids)].clone() for buffer in self._buffers))

    def restore(self, snapshot, env_ids):
        for buffer, rows in zip(self._buffers, snapshot.rows, strict=True):
            buffer[list(env_ids)] = rows
        return self.observe()


class Rows:
    def __init__(self, rows: tuple[torch.Tensor, ...]) -> None:
        self.rows = rows

    def select(self, places: torch.Tensor) -> Rows:
        return Rows(tuple(rows[places] for rows in self.rows))


def write_source(path: Path, count: int = 3, signals: bool = True) -> Path:
    """Demos that go to the button by step 15, press it at step 18, and rest on the pad from step 32."""
    with DemoWriter(path, task="Toy-Push") as writer:
        for number in range(count):
            rng = np.random.default_rng(number)
            button, pad = rng.uniform(0, 0.2, 3) + [0.3, 0, 0], rng.uniform(0, 0.2, 3) + [0, 0.4, 0]
            side = np.array([0.012 * (-1) ** number, 0.0, 0.0])  # every other demo comes from the slippery side
            knots = [(0, np.zeros(3)), (15, button + side), (18, button + side), (32, pad), (LENGTH, pad)]
            steps = np.arange(LENGTH + 1)
            path_xyz = np.stack(
                [np.interp(steps, [k for k, _ in knots], [p[axis] for _, p in knots]) for axis in range(3)], 1
            )
            actions = np.concatenate((np.diff(path_xyz, axis=0), np.ones((LENGTH, 1))), 1).astype(np.float32)
            data = {
                "obs/datagen_info/eef_pose/hand": at(torch.tensor(path_xyz[:-1])).numpy(),
                "obs/datagen_info/target_eef_pose/hand": at(torch.tensor(path_xyz[1:])).numpy(),
                "obs/datagen_info/object_pose/button": at(torch.tensor(button).expand(LENGTH, 3)).numpy(),
                "obs/datagen_info/object_pose/pad": at(torch.tensor(pad).expand(LENGTH, 3)).numpy(),
            }
            if signals:
                data["obs/datagen_info/subtask_term_signals/press"] = np.arange(LENGTH) >= 17
            writer.append(Demo(actions=actions, data=data, success=True))
    return path


def load(path: Path):
    return load_source(
        path,
        eefs=["hand"],
        objects=["button", "pad"],
        signals=["press"],
        to_gripper=lambda actions: {"hand": actions[..., -1:]},
    )


def planners(path: Path, cfg: AugmentCfg, pace: float = 1.0) -> dict[str, Planner]:
    planner = Planner(
        "hand", SUBTASKS["hand"], load(path), symmetry={}, control_hz=20.0, from_last_target=True, cfg=cfg, pace=pace
    )
    return {"hand": planner}


@dataclass(frozen=True)
class OpenPushWorld:
    """Makes a generator in a process of its own. One such process may die in the middle of its work."""

    source: Path
    cfg: AugmentCfg
    num_envs: int = 3
    deaths: Path | None = None
    """A folder: the first process to be given attempt 7 notes it there, and is killed."""

    @contextlib.contextmanager
    def __call__(self) -> Iterator[Generator | Mortal]:
        generator = Generator(PushWorld(self.num_envs), planners(self.source, self.cfg), self.cfg)
        yield generator if self.deaths is None else Mortal(generator, self.deaths)


class Mortal:
    def __init__(self, generator: Generator, deaths: Path) -> None:
        self._generator, self._deaths = generator, deaths
        self.slots, self.facts = generator.slots, generator.facts

    def run(self, next_job):
        def next_or_die():
            job = next_job()
            if job is not None and job.number == 7 and not any(self._deaths.iterdir()):
                (self._deaths / str(os.getpid())).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return job

        return self._generator.run(next_or_die)
