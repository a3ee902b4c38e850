"""A hand over a table with two blocks: grasping, falling and sliding in a few lines of torch."""

from types import SimpleNamespace

import torch

from apprentice import poses
from apprentice.sim.physics import Physics
from apprentice.tasks.grasps import IDENTITY, Grasp

GOAL = torch.tensor([0.5, 0.3, 0.0])
"""Where the red block belongs."""
STEP_M = 0.012
"""Most that the hand moves in a step."""


class TabletopWorld:
    """The red block is to be carried to the goal; the blue one is in nobody's way."""

    task, variant, backend = "Tabletop-Carry", None, "toy"
    movable_objects = ("red", "blue")
    edge_m = 9.0
    """x of the table's edge."""

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.task_info = SimpleNamespace(
            eef_names=["hand"],
            objects=["red", "blue"],
            symmetry={"red": 1, "blue": 1},
            cubes=(),
            subtasks={"hand": (("red", "lift"), ("red", None))},
            descriptions={"hand": ("Lift", "")},
        )
        self.hand = torch.zeros(num_envs, 3)
        self.blocks, self.velocity = torch.zeros(num_envs, 2, 3), torch.zeros(num_envs, 2, 3)
        self.carried = torch.zeros(num_envs, dtype=torch.bool)
        self.closed = torch.zeros(num_envs, dtype=torch.bool)
        self.physics = [Physics()] * num_envs
        self.executed: list[torch.Tensor] = []

    def reset(self, env_ids, seeds):
        for env_id, seed in zip(env_ids, seeds, strict=True):
            drawn = torch.rand(4, generator=torch.Generator().manual_seed(seed))
            self.hand[env_id] = torch.tensor([0.5, 0.0, 0.2])
            self.blocks[env_id] = torch.tensor([[0.4, -0.2, 0.0], [0.6, 0.1, 0.0]])
            self.blocks[env_id, :, :2] += 0.1 * (drawn.reshape(2, 2) - 0.5)
            self.velocity[env_id], self.carried[env_id], self.closed[env_id] = 0.0, False, False
        return self.observe()

    def set_state(self, state, env_ids):
        self.hand[env_ids] = state["articulation/arm/root_pose"][:, :3]
        for place, name in enumerate(self.movable_objects):
            self.blocks[env_ids, place] = state[f"rigid_object/{name}/root_pose"][:, :3]
        return self.observe()

    def step(self, actions, active=None):
        self.executed.append(actions.clone())
        rows = torch.ones(self.num_envs, dtype=torch.bool) if active is None else active
        near = (self.blocks[:, 0] - self.hand).norm(dim=1) < 0.015
        self.hand[rows] += actions[rows, :3].clamp(-STEP_M, STEP_M)
        closed = actions[:, 3] < 0
        self.carried = torch.where(rows, closed & (self.carried | (near & ~self.closed)), self.carried)
        self.closed = torch.where(rows, closed, self.closed)
        self.blocks[rows] += 0.05 * self.velocity[rows]
        self.velocity[rows] *= 0.5
        ground = torch.where(self.blocks[..., 0] < self.edge_m, 0.0, -0.2)
        self.blocks[rows, :, 2] = torch.maximum(self.blocks[..., 2] - 0.04, ground)[rows]
        held = rows & self.carried
        self.blocks[held, 0] = self.hand[held]
        return self.observe()

    def observe(self):
        return self.sense({})

    def sense(self, errors):
        zero = torch.zeros(self.num_envs, 6)
        hand = self.hand + errors.get("arm", zero)[:, :3]
        blocks = [
            self.blocks[:, place] + errors.get(name, zero)[:, :3] for place, name in enumerate(self.movable_objects)
        ]
        turns = [poses.exp_rotation(errors.get(name, zero)[:, 3:]) for name in self.movable_objects]
        return {
            "to_red": blocks[0] - hand,
            "fingers": self.closed[:, None].float(),
            "datagen_info/eef_pose/hand": poses.make_pose(hand, torch.eye(3).expand(self.num_envs, 3, 3)),
            "datagen_info/object_pose/red": poses.make_pose(blocks[0], turns[0]),
            "datagen_info/object_pose/blue": poses.make_pose(blocks[1], turns[1]),
        }

    def neutral_actions(self):
        return torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(self.num_envs, 4)

    def grippers(self):
        return {"hand": Grasp(frame=IDENTITY, column=3, open=1.0, closed=-1.0, binary=True)}

    def move_object(self, name, env_ids, *, poses=None, velocities=None):
        place = self.movable_objects.index(name)
        if poses is not None:
            self.blocks[env_ids, place] = poses[:, :3].float()
        if velocities is not None:
            self.velocity[env_ids, place] = velocities[:, :3].float()

    def set_physics(self, env_ids, physics):
        for env_id, one in zip(env_ids, physics, strict=True):
            self.physics[env_id] = one

    def success(self):
        return ((self.blocks[:, 0] - GOAL).norm(dim=1) < 0.03) & ~self.carried

    def subtask_signals(self):
        return {"lift": self.carried & (self.blocks[:, 0, 2] > 0.05)}

    def state(self):
        unit = torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(self.num_envs, 4)
        positions = {"articulation/arm": self.hand, "rigid_object/red": self.blocks[:, 0]}
        positions["rigid_object/blue"] = self.blocks[:, 1]
        return {f"{name}/root_pose": torch.cat((value, unit), dim=1) for name, value in positions.items()}


class Carrier:
    """Goes to the red block, takes it up, brings it to the goal; looks anew at every step, so it recovers."""

    def start(self, num_envs):
        self.num_envs = num_envs

    def reset(self, env_ids, seeds):
        pass

    def act(self, obs, env_ids=None):
        hand, red = (poses.position(obs[f"datagen_info/{name}"]) for name in ("eef_pose/hand", "object_pose/red"))
        to_red, to_goal = red - hand, GOAL - hand
        placed = (red - GOAL).norm(dim=1) < 0.02
        at_red = to_red.norm(dim=1) < 0.012
        over_goal = to_goal[:, :2].norm(dim=1) < 0.01
        # down on it from above, up with it, over the goal, down, open
        reach = torch.where(to_red[:, :2].norm(dim=1, keepdim=True) < 0.01, to_red, to_red + torch.tensor([0, 0, 0.1]))
        up = torch.where(
            (hand[:, 2:] < 0.14) & ~over_goal[:, None], torch.tensor([0, 0, 0.05]), to_goal * torch.tensor([1, 1, 0])
        )
        carry = torch.where(over_goal[:, None], to_goal, up)
        move = torch.where(at_red[:, None], carry, reach)
        move = torch.where(placed[:, None], torch.tensor([0, 0, 0.03]), move)
        grip = torch.where(at_red & ~placed, -1.0, 1.0)
        return torch.cat((move, grip[:, None]), dim=1)
