"""A task, open in the simulator: the environment as recording, augmentation and evaluation use it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from apprentice.errors import UserError
from apprentice.sim.backends import why_unavailable
from apprentice.sim.launch import launched
from apprentice.sim.physics import Physics
from apprentice.sim.properties import Properties
from apprentice.sim.snapshot import Snapshooter, Snapshot, refresh

from .finger_actions import FingerColumns, finger_columns
from .grippers import grippers
from .neutral import neutral_actions
from .pink import driven

if TYPE_CHECKING:
    from .grasps import Grasp
    from .registry import TaskInfo

Observations = dict[str, torch.Tensor]
"""Observation terms by name, as under `obs/` in a demo file. Shapes (N, ...)."""

States = dict[str, torch.Tensor]
"""Scene state by "/"-joined name, as under `states/` in a demo file, relative to each environment's origin."""


class Session:
    """N environments of one task, stepped together, reset one by one."""

    def __init__(self, env: Any, info: TaskInfo, *, variant: str | None, backend: str, success: Any) -> None:
        """Wrap an environment that was just created.

        Args:
            env: The `ManagerBasedRLEnv`, terminations off.
            info: What the task says about itself.
            variant: Its difficulty variant, if it has any.
            backend: What steps the physics.
            success: The task's success term (a termination term configuration), or None.
        """
        self.env = env
        self.task_info = info
        self.task, self.variant, self.backend = info.id, variant, backend
        self.num_envs: int = env.num_envs
        self.control_hz = 1.0 / env.step_dt
        self._success = success
        self._all = torch.arange(self.num_envs)
        self._snapshooter: Snapshooter | None = None
        self._properties: Properties | None = None
        self._solver = self._native_solver() if backend == "native" else None

    def reset(self, env_ids: Sequence[int] | None = None, seeds: Sequence[int] | None = None) -> Observations:
        """Start new episodes.

        Args:
            env_ids: Environments to reset; all by default.
            seeds: One seed per environment. A seed gives the same initial state in any environment, process or batch.
        """
        ids = list(range(self.num_envs)) if env_ids is None else [int(i) for i in env_ids]
        if seeds is None:
            self._reset(ids)
        else:
            with _random_state_kept():
                for env_id, seed in zip(ids, seeds, strict=True):
                    _seed_everything(int(seed))
                    self._reset([env_id])
        # begin from the written-down state, as a replay of this episode will
        states = self.state()
        return self.set_state({key: value[ids] for key, value in states.items()}, ids)

    def _reset(self, env_ids: list[int]) -> None:
        ids = torch.tensor(env_ids, dtype=torch.int32, device=self.env.device)
        self.env._reset_idx(ids)

    def step(self, actions: torch.Tensor, active: torch.Tensor | None = None) -> Observations:
        """Advance by one control step.

        Args:
            actions: Shape (N, A).
            active: Environments to advance; the others stand still. Shape (N,), bool. On `native` those cost nothing;
                elsewhere they are given a neutral action.
        """
        if active is not None:
            actions = torch.where(active[:, None], actions, self.neutral_actions())
        if self._solver is not None:
            self._solver.active = None if active is None else np.flatnonzero(active.cpu().numpy())
        self.env.step(actions.to(self.env.device))
        return self.observe()

    def observe(self) -> Observations:
        """What a policy may see now: the task's policy observations, and poses where it is a Mimic task."""
        policy = self.env.obs_buf["policy"]
        obs = dict(policy) if isinstance(policy, dict) else {"policy": policy}
        for name, pose in self.eef_poses().items():
            obs[f"datagen_info/eef_pose/{name}"] = pose
        for name, pose in self.object_poses().items():
            obs[f"datagen_info/object_pose/{name}"] = pose
        return obs

    def sense(self, errors: Mapping[str, torch.Tensor]) -> Observations:
        """What a policy would see now if poses were measured with errors: all terms that read a pose see the same one.

        Args:
            errors: By object or robot, shift (m) and rotation vector (rad); see `sim.sensing.misplaced`. Shapes (N, 6).
        """
        from apprentice.sim.sensing import misplaced

        true = self.env.obs_buf
        with misplaced(self.env, errors):
            # Mimic methods of some tasks read the last observations
            self.env.obs_buf = self.env.observation_manager.compute(update_history=False)
            try:
                return {name: value.clone() for name, value in self.observe().items()}
            finally:
                self.env.obs_buf = true

    def eef_poses(self) -> dict[str, torch.Tensor]:
        """End-effector poses in the environment frame. Shapes (N, 4, 4). Empty for tasks without Mimic methods."""
        return {name: self.env.get_robot_eef_pose(name, env_ids=None) for name in self.task_info.eef_names}

    def base_pose(self) -> torch.Tensor | None:
        """Where a robot that walks stands and faces, environment frame, shape (N, 4, 4); None for those that don't."""
        return getattr(self.env, "base_pose", None)

    def object_poses(self) -> dict[str, torch.Tensor]:
        """Object poses in the environment frame. Shapes (N, 4, 4). Empty for tasks without Mimic methods."""
        return self.env.get_object_poses() if self.task_info.mimic else {}

    def neutral_actions(self) -> torch.Tensor:
        """Actions that stay put with the gripper open. Shape (N, A)."""
        return neutral_actions(self.env)

    def grippers(self) -> dict[str, Grasp]:
        """How grippers are opened and closed, by end effector; see `tasks.grippers`."""
        return grippers(self.env, self.task_info) if self.task_info.mimic else {}

    def fingers(self) -> dict[str, FingerColumns]:
        """Hands whose finger joints actions command one by one, by end effector; see `tasks.finger_actions`."""
        return finger_columns(self.env, self.task_info)

    @property
    def movable_objects(self) -> tuple[str, ...]:
        """Objects that can be pushed; a socket that stands fast and a drawer cannot."""
        props = {name: body.cfg.spawn.rigid_props for name, body in self.env.scene.rigid_objects.items()}
        return tuple(
            name
            for name in self.task_info.objects
            if name in props and not getattr(props[name], "kinematic_enabled", False)
        )

    def success(self) -> torch.Tensor:
        """Whether the success term is true right now. Shape (N,), bool. All false for tasks without one."""
        if self._success is None:
            return torch.zeros(self.num_envs, dtype=torch.bool)
        return self._success.func(self.env, **self._success.params).bool().reshape(self.num_envs)

    def subtask_signals(self) -> dict[str, torch.Tensor]:
        """Whether each subtask is complete right now. Shapes (N,), bool. Empty for tasks that cannot tell: people mark
        the ends of their subtasks."""
        if not self.task_info.mimic or not _overrides(self.env, "get_subtask_term_signals"):
            return {}
        return {name: value.bool().reshape(-1) for name, value in self.env.get_subtask_term_signals().items()}

    def state(self) -> States:
        """The scene's state."""
        return {
            f"{kind}/{name}/{key}": getattr(value, "torch", value)
            for kind, entities in self.env.scene.get_state(is_relative=True).items()
            for name, values in entities.items()
            for key, value in values.items()
        }

    def set_state(self, state: Mapping[str, torch.Tensor], env_ids: Sequence[int]) -> Observations:
        """Write a scene state and make observations follow, without stepping.

        Args:
            state: As `state()` gives it, rows for `env_ids` only. Shapes (K, ...).
            env_ids: Environments to write. K of them.
        """
        nested: dict[str, dict[str, dict[str, torch.Tensor]]] = {}
        for path, value in state.items():
            kind, name, key = path.split("/")
            nested.setdefault(kind, {}).setdefault(name, {})[key] = value.to(self.env.device)
        for kind in ("articulation", "rigid_object", "deformable_object", "cable_object"):
            nested.setdefault(kind, {})
        ids = torch.as_tensor(list(env_ids), dtype=torch.int32, device=self.env.device)
        self.env.scene.reset_to(nested, ids, is_relative=True)
        for articulation in self.env.scene.articulations.values():
            # Isaac Lab takes the velocities for targets too; nobody would ever take those back
            still = torch.zeros_like(articulation.data.joint_vel.torch[ids.long()])
            articulation.set_joint_velocity_target_index(target=still, env_ids=ids)
        self.env.sim.forward()
        refresh(self.env)
        self.env.obs_buf = self.env.observation_manager.compute(update_history=len(ids) == self.num_envs)
        return self.observe()

    def move_object(
        self,
        name: str,
        env_ids: Sequence[int],
        *,
        poses: torch.Tensor | None = None,
        velocities: torch.Tensor | None = None,
    ) -> None:
        """Interfere with an object, and nothing else, before the next step.

        Args:
            name: The object.
            env_ids: In which environments. K of them.
            poses: Where to put it, position (m, environment frame) and quaternion xyzw. Shape (K, 7).
            velocities: How it is to move on, linear (m/s) and angular (rad/s), world axes. Shape (K, 6).
        """
        body, device = self.env.scene.rigid_objects[name], self.env.device
        ids = torch.as_tensor(list(env_ids), dtype=torch.int32, device=device)
        if poses is not None:
            placed = poses.to(device, torch.float32).clone()
            placed[:, :3] += self.env.scene.env_origins[ids.long()]
            body.write_root_pose_to_sim_index(root_pose=placed, env_ids=ids)
        if velocities is not None:
            given = velocities.to(device, torch.float32).contiguous()
            body.write_root_velocity_to_sim_index(root_velocity=given, env_ids=ids)

    def set_physics(self, env_ids: Sequence[int], physics: Sequence[Physics]) -> None:
        """Make objects heavier or surfaces more slippery, until told otherwise.

        Args:
            env_ids: In which environments.
            physics: For each of them.

        Raises:
            UserError: If there is no such object, or friction cannot be changed on this backend.
        """
        if self._properties is None:
            self._properties = Properties(self.env)
        self._properties.set(env_ids, physics)

    def snapshot(self, env_ids: Sequence[int] | None = None) -> Snapshot:
        """Copy the complete state of some environments (all by default)."""
        if self._snapshooter is None:
            self._snapshooter = Snapshooter(self.env)
        ids = self._all if env_ids is None else torch.as_tensor(list(env_ids))
        return self._snapshooter.take(ids)

    def restore(self, snapshot: Snapshot, env_ids: Sequence[int] | None = None) -> Observations:
        """Put a snapshot back: on Newton-based backends these environments continue bit for bit.

        Args:
            snapshot: From `snapshot`.
            env_ids: Environments to write it into; those that it was taken of by default.
        """
        assert self._snapshooter is not None, "a snapshot is taken before it is restored"
        self._snapshooter.restore(snapshot, None if env_ids is None else torch.as_tensor(list(env_ids)))
        return self.observe()

    def collision_scenes(self) -> dict[str, Any]:
        """For looking ahead: a `sim.collision.CollisionScene` per end effector, where backend and actions allow it."""
        if self._solver is None:
            return {}
        from apprentice.sim.collision import collision_scenes

        return collision_scenes(self.env, {k: v[0].double().cpu().numpy() for k, v in self.eef_poses().items()})

    @staticmethod
    def _native_solver() -> Any:
        from apprentice.sim.native import solver

        return solver()


@contextlib.contextmanager
def open_session(
    task: str,
    *,
    backend: str = "native",
    num_envs: int = 1,
    variant: str | None = None,
    seed: int = 0,
    threads: int = 1,
    control_rate: float = 1.0,
) -> Iterator[Session]:
    """Open a task in the simulator.

    Args:
        task: A gym id, stock or ours.
        backend: `native`, `newton`, `ovphysx` or `isaacsim`.
        num_envs: Environments stepped together.
        variant: Difficulty variant, for tasks that have them.
        seed: Seed for what is drawn at start-up.
        threads: Processor threads.
        control_rate: Factor on the task's control rate, as near as whole physics steps come to it.

    Raises:
        UserError: If the task is unknown, can't run on the backend, or has no such variant.
    """
    from .registry import apply_variant, environment_class, load_env_cfg, task_info

    reason = why_unavailable(backend)
    if reason is not None:
        raise UserError(reason)
    info = task_info(task)
    env_cfg = load_env_cfg(info.id, backend)
    if variant is not None:
        apply_variant(env_cfg, variant)
    env_cfg.decimation = max(1, round(env_cfg.decimation / control_rate))
    success = getattr(env_cfg.terminations, info.success) if info.success else None
    env_class = environment_class(info.id)
    if info.eef_names and not info.mimic:
        env_class = driven(env_class)
    with launched(env_class, env_cfg, backend=backend, num_envs=num_envs, seed=seed, threads=threads) as env:
        session = Session(env, info, variant=variant, backend=backend, success=success)
        session.reset()
        yield session


def _overrides(env: Any, method: str) -> bool:
    """Whether an environment has a method of its own where Isaac Lab's Mimic interface leaves it open."""
    from isaaclab.envs import ManagerBasedRLMimicEnv

    return getattr(type(env), method, None) is not getattr(ManagerBasedRLMimicEnv, method)


def _seed_everything(seed: int) -> None:
    # event terms draw from any of these
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if torch.cuda.is_initialized():
        torch.manual_seed(seed)
    else:
        # the same for the processor; the other way notes for later, with a stack trace, what to tell a GPU
        torch.default_generator.manual_seed(seed)


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    python, numpy, generator = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield
    random.setstate(python)
    np.random.set_state(numpy)
    torch.set_rng_state(generator)
