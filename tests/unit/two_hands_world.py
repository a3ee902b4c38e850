"""A toy task for two hands: each presses a button of its own, then both lift a bar. Torch, no simulator.

A hand goes where its action says. The bar comes along while both hands stay where they are on it, and is lost when one
moves away. Slippery buttons are missed from one side, and the grip of the first source demo does not hold a greasy bar.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from augment_world import Rows, at, subtask

from apprentice.augment.cfg import AugmentCfg
from apprentice.augment.planning.plan import Planner
from apprentice.augment.sources.demos import load_source
from apprentice.demos import Demo, DemoWriter
from apprentice.poses import make_pose, position, rotation_z

EEFS = ("left", "right")
NEAR_M = 0.02
HALF_BAR_M = 0.15
LIFTED_M = 0.15
LENGTH = 70
SUBTASKS = {
    "left": [subtask("left_button", "press_left", (1, 3)), subtask("bar", None)],
    "right": [subtask("right_button", "press_right", (1, 3)), subtask("bar", None)],
}


def sequential(first, then, steps_left=-1):
    return SimpleNamespace(
        eef_subtask_constraint_tuple=[first, then],
        constraint_type=SimpleNamespace(name="SEQUENTIAL"),
        sequential_min_time_diff=steps_left,
    )


def coordinated(one, two, scheme="TRANSFORM", together=True, shift=0.0, turn=0.0):
    return SimpleNamespace(
        eef_subtask_constraint_tuple=[one, two],
        constraint_type=SimpleNamespace(name="COORDINATION"),
        coordination_scheme=SimpleNamespace(name=scheme),
        coordination_scheme_pos_noise_scale=shift,
        coordination_scheme_rot_noise_scale=turn,
        coordination_synchronize_start=together,
    )


LIFT = coordinated(("left", 1), ("right", 1))


def bar_pose(xyz: torch.Tensor, yaw: torch.Tensor) -> torch.Tensor:
    return make_pose(xyz, rotation_z(yaw))


class TwoHandsWorld:
    """N worlds."""

    task, variant, backend, control_hz = "Toy-Lift", None, "toy", 20.0

    def __init__(self, num_envs: int, constraints=(LIFT,), subtasks=SUBTASKS) -> None:
        self.num_envs = num_envs
        self.env = SimpleNamespace(
            num_envs=num_envs,
            target_eef_poses_to_actions=self._actions,
            action_to_target_eef_pose=lambda actions: {
                eef: at(self.hands[:, i] + actions[:, 4 * i : 4 * i + 3]) for i, eef in enumerate(EEFS)
            },
            actions_to_gripper_actions=lambda actions: {"left": actions[..., 3:4], "right": actions[..., 7:8]},
            cfg=SimpleNamespace(
                datagen_config=SimpleNamespace(generation_select_src_per_subtask=True),
                subtask_configs=subtasks,
                task_constraint_configs=list(constraints),
                decimation=1,
                sim=SimpleNamespace(physics="toy"),
            ),
            physics_dt=0.05,
            action_manager=SimpleNamespace(
                active_terms=["hands"], get_term=lambda name: SimpleNamespace(processed_actions=self.hands.flatten(1))
            ),
        )
        self.task_info = SimpleNamespace(
            eef_names=EEFS,
            objects=("left_button", "right_button", "bar"),
            symmetry={"left_button": 1, "right_button": 1, "bar": 1},
            cubes=(),
            subtasks={eef: tuple((p.object_ref, p.subtask_term_signal) for p in subtasks[eef]) for eef in EEFS},
            descriptions={eef: tuple("" for _ in subtasks[eef]) for eef in EEFS},
            mimic=True,
        )
        self.hands = torch.zeros(num_envs, 2, 3)
        self.buttons = torch.zeros(num_envs, 2, 3)
        self.bar, self.yaw = torch.zeros(num_envs, 3), torch.zeros(num_envs)
        self.slippery, self.greasy = torch.zeros(num_envs), torch.zeros(num_envs)
        self.pressed, self.held = torch.zeros(num_envs, 2), torch.zeros(num_envs)
        self.grips = torch.zeros(num_envs, 2)

    @property
    def _buffers(self):
        return (
            self.hands,
            self.buttons,
            self.bar,
            self.yaw,
            self.slippery,
            self.greasy,
            self.pressed,
            self.held,
            self.grips,
        )

    def _actions(self, targets, grippers):
        parts = []
        for i, eef in enumerate(EEFS):
            parts += [position(targets[eef]) - self.hands[:, i], grippers[eef]]
        return torch.cat(parts, 1)

    def reset(self, env_ids, seeds):
        for env_id, seed in zip(env_ids, seeds, strict=True):
            generator = torch.Generator().manual_seed(seed)
            drawn = torch.rand(8, generator=generator)
            for buffer in self._buffers:
                buffer[env_id] = 0.0
            self.hands[env_id] = torch.tensor([[0.0, 0.3, 0.3], [0.0, -0.3, 0.3]])
            self.buttons[env_id] = torch.tensor([[0.3, 0.3, 0.0], [0.3, -0.3, 0.0]])
            self.buttons[env_id, :, :2] += 0.2 * drawn[:4].reshape(2, 2) - 0.1
            self.bar[env_id] = torch.tensor([0.6, 0.0, 0.0])
            self.bar[env_id, :2] += 0.2 * drawn[4:6] - 0.1
            self.yaw[env_id] = drawn[6] - 0.5
            self.slippery[env_id] = float(seed % 3 == 0)
            self.greasy[env_id] = float(seed % 2 == 0)
        return self.observe()

    def step(self, actions, active=None):
        active = torch.ones(self.num_envs, dtype=torch.bool) if active is None else active
        parts = actions.reshape(self.num_envs, 2, 4)
        before = self._apart()
        self.hands += parts[..., :3] * active[:, None, None]
        self.grips = torch.where(active[:, None], parts[..., 3], self.grips)
        near = ((self.hands - self.buttons).norm(dim=-1) < NEAR_M) & active[:, None]
        slips = (self.slippery[:, None] > 0) & (self.hands[..., 0] > self.buttons[..., 0])
        self.pressed = torch.where(near & ~slips, 1.0, self.pressed)
        # the bar comes along with hands that are at its ends
        on_bar = (self.hands - self._ends()).norm(dim=-1).amax(1) < 0.03
        greasy = (self.greasy > 0) & ((self.grips - 1.0).abs() < 0.05).any(1)
        kept = (self._apart() - before).norm(dim=-1) < 0.03
        self.held = torch.where(active, ((on_bar | (self.held > 0)) & kept & ~greasy).float(), self.held)
        middle = self.hands.mean(1)
        lost = torch.cat((self.bar[:, :2], torch.zeros(self.num_envs, 1)), 1)
        follows = torch.where((self.held > 0)[:, None], middle, lost)
        self.bar = torch.where((active & self.pressed.all(1))[:, None], follows, self.bar)
        return self.observe()

    def _apart(self):
        return self.hands[:, 0] - self.hands[:, 1]

    def _ends(self):
        ends = torch.tensor([[0.0, HALF_BAR_M, 0.0], [0.0, -HALF_BAR_M, 0.0]])
        return self.bar[:, None] + torch.einsum("nij,kj->nki", rotation_z(self.yaw), ends)

    def eef_poses(self):
        return {eef: at(self.hands[:, i].clone()) for i, eef in enumerate(EEFS)}

    def object_poses(self):
        return {
            "left_button": at(self.buttons[:, 0].clone()),
            "right_button": at(self.buttons[:, 1].clone()),
            "bar": bar_pose(self.bar.clone(), self.yaw.clone()),
        }

    def observe(self):
        obs = {"hands": self.hands.flatten(1).clone()}
        obs |= {f"datagen_info/eef_pose/{name}": pose for name, pose in self.eef_poses().items()}
        return obs | {f"datagen_info/object_pose/{name}": pose for name, pose in self.object_poses().items()}

    def neutral_actions(self):
        return torch.zeros(self.num_envs, 8)

    def success(self):
        return self.bar[:, 2] > LIFTED_M

    def subtask_signals(self):
        return {f"press_{eef}": self.pressed[:, i] > 0 for i, eef in enumerate(EEFS)}

    def state(self):
        return {
            "rigid_object/hands/root_pose": self.hands.flatten(1).clone(),
            "rigid_object/bar/root_pose": torch.cat((self.bar, self.yaw[:, None], self.pressed), 1),
        }

    def collision_scenes(self):
        return {}

    def set_physics(self, env_ids, physics):
        """This world's never differs."""

    def snapshot(self, env_ids):
        return Rows(tuple(buffer[list(env_ids)].clone() for buffer in self._buffers))

    def restore(self, snapshot, env_ids):
        for buffer, rows in zip(self._buffers, snapshot.rows, strict=True):
            buffer[list(env_ids)] = rows
        return self.observe()


def write_source(path: Path, count: int = 3) -> Path:
    """Left presses at step 17 and is at the bar by 30; right presses at 24 and is there by 36. They lift from 40 to 60.

    The gripper command of demo k is 1 + k / 2, so that actions tell which demo they come from.
    """
    with DemoWriter(path, task="Toy-Lift") as writer:
        for number in range(count):
            rng = np.random.default_rng(number)
            world = TwoHandsWorld(1)
            world.reset([0], [1000 + number])
            side = np.array([0.005 * (-1) ** number, 0.0, 0.0])  # every other demo comes from the slippery side
            aim = rng.uniform(-0.003, 0.003, (2, 3))
            steps, paths = np.arange(LENGTH + 1), []
            for i, (press, there) in enumerate(((15, 30), (22, 36))):
                button, end = world.buttons[0, i].numpy() + side, world._ends()[0, i].numpy() + aim[i]
                up = end + [0.0, 0.0, 0.2]
                knots = [(0, world.hands[0, i].numpy()), (press, button), (press + 3, button), (there, end)]
                knots += [(40, end), (60, up), (LENGTH, up)]
                times = [time for time, _ in knots]
                paths.append(np.stack([np.interp(steps, times, [p[axis] for _, p in knots]) for axis in range(3)], 1))
            bar = np.stack(paths).mean(0)[:-1]
            lifted = (bar[:, 2:] > 0.005) & (np.arange(LENGTH)[:, None] > 39)
            bar = np.where(lifted, bar, world.bar[0].numpy())
            grip = np.full((LENGTH, 1), 1.0 + number / 2)
            actions = np.concatenate([part for path in paths for part in (np.diff(path, axis=0), grip)], 1)
            data = {"obs/datagen_info/object_pose/bar": bar_pose(torch.tensor(bar), world.yaw.expand(LENGTH)).numpy()}
            for i, eef in enumerate(EEFS):
                button = world.buttons[0, i].expand(LENGTH, 3)
                data[f"obs/datagen_info/object_pose/{eef}_button"] = at(button).numpy()
                data[f"obs/datagen_info/eef_pose/{eef}"] = at(torch.tensor(paths[i][:-1])).numpy()
                data[f"obs/datagen_info/target_eef_pose/{eef}"] = at(torch.tensor(paths[i][1:])).numpy()
                data[f"obs/datagen_info/subtask_term_signals/press_{eef}"] = np.arange(LENGTH) >= (17, 24)[i]
            writer.append(Demo(actions=actions.astype(np.float32), data=data, success=True))
    return path


def planners(path: Path, cfg: AugmentCfg, subtasks=SUBTASKS) -> dict[str, Planner]:
    demos = load_source(
        path,
        eefs=EEFS,
        objects=["left_button", "right_button", "bar"],
        signals=["press_left", "press_right"],
        to_gripper=lambda actions: {"left": actions[..., 3:4], "right": actions[..., 7:8]},
    )
    return {
        eef: Planner(eef, subtasks[eef], demos, symmetry={}, control_hz=20.0, from_last_target=True, cfg=cfg)
        for eef in EEFS
    }
