"""Snapshots: the complete state of some environments, restored so that they continue bit for bit.

Bit for bit holds where Newton keeps the state (`native`, `newton`). PhysX does not give out what its solver remembers
from the last step (contacts, warm start): there a snapshot holds the scene's state and all buffers of Isaac Lab's
managers, and a restored environment continues closely, not exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import warp as wp

from apprentice.errors import UserError


@dataclass(frozen=True)
class Snapshot:
    """Rows of every per-environment buffer for some environments."""

    env_ids: torch.Tensor
    """Environments that were taken. Shape (K,)."""
    rows: tuple[torch.Tensor, ...]
    """One tensor per buffer, K rows each."""

    def select(self, places: torch.Tensor) -> Snapshot:
        """The part of this snapshot at `places` (indices into `env_ids`). Shape (L,)."""
        return Snapshot(self.env_ids[places], tuple(rows[places] for rows in self.rows))


class Snapshooter:
    """Takes and restores snapshots of one environment object.

    Per-environment state is spread over physics arrays, asset buffers, action and command terms, controllers, sensors
    and observation histories. It is found by walking these objects once and noting every place that holds an array with
    one row per environment, so that terms a user wrote are covered too.
    """

    def __init__(self, env: Any) -> None:
        """Walk `env`, which must have been reset before, so that its lazily made buffers exist."""
        self._env = env
        self._physics = list(_physics_buffers(env))
        self._writes_scene = not self._physics
        self._places = list(_Walk(env).places())
        self._views: dict[int, tuple[wp.array, torch.Tensor]] = {}
        """Warp arrays last seen at each place, and torch's view of them: making one takes longer than copying through
        it."""

    def take(self, env_ids: torch.Tensor) -> Snapshot:
        """Copy the state of `env_ids`. Shape (K,).

        Raises:
            UserError: If there is no such environment.
        """
        self._check(env_ids)
        rows = [buffer[env_ids] for buffer in self._buffers()]
        if self._writes_scene:
            rows += [value[env_ids] for _, value in _leaves(self._env.scene.get_state(is_relative=True))]
        return Snapshot(env_ids.clone(), tuple(rows))

    def restore(self, snapshot: Snapshot, env_ids: torch.Tensor | None = None) -> None:
        """Put a snapshot back, into the environments it came from or into `env_ids`. Shape (K,).

        Raises:
            UserError: If the snapshot is of another number of environments, or there is no such environment.
        """
        env_ids = snapshot.env_ids if env_ids is None else env_ids
        self._check(env_ids)
        if len(env_ids) != len(snapshot.env_ids):
            raise UserError(
                f"Expected as many environments as the snapshot holds, found {len(env_ids)} environments for a "
                f"snapshot of {len(snapshot.env_ids)}: use `snapshot.select` to restore a part of it."
            )
        # before the buffers: evaluating kinematics that are due elsewhere must not touch what is restored
        settle(self._env)
        self._env.obs_buf = _copy(self._env.obs_buf)  # whoever was given the last observations keeps them
        buffers = list(self._buffers())
        if self._writes_scene:
            # before the buffers: it sets joint targets to the joint positions
            self._write_scene(snapshot.rows[len(buffers) :], env_ids)
        for buffer, rows in zip(buffers, snapshot.rows[: len(buffers)], strict=True):
            buffer[env_ids] = rows
        refresh(self._env)

    def _write_scene(self, rows: tuple[torch.Tensor, ...], env_ids: torch.Tensor) -> None:
        state = self._env.scene.get_state(is_relative=True)
        for (path, _), values in zip(list(_leaves(state)), rows, strict=True):
            kind, name, key = path
            state[kind][name][key] = values
        self._env.scene.reset_to(state, env_ids.to(torch.int32), is_relative=True)
        self._env.sim.forward()

    def _check(self, env_ids: torch.Tensor) -> None:
        last = self._env.num_envs - 1
        wrong = env_ids[(env_ids < 0) | (env_ids > last)].tolist()
        if wrong:
            raise UserError(f"Expected environments 0 to {last}, found {', '.join(map(str, wrong))}.")

    def _buffers(self) -> Iterator[torch.Tensor]:
        yield from self._physics
        for place, (owner, key) in enumerate(self._places):
            # looked up each time: some terms replace their tensors when they step
            value = owner[key] if isinstance(owner, (dict, list)) else getattr(owner, key)
            yield self._view(place, value) if isinstance(value, wp.array) else value
        for group in self._env.obs_buf.values():
            yield from group.values() if isinstance(group, dict) else [group]

    def _view(self, place: int, array: wp.array) -> torch.Tensor:
        seen = self._views.get(place)
        if seen is None or seen[0] is not array:
            seen = self._views[place] = array, wp.to_torch(array)
        return seen[1]


def _copy(tensors: Any) -> Any:
    return {key: _copy(value) for key, value in tensors.items()} if isinstance(tensors, dict) else tensors.clone()


def _leaves(state: Any) -> Iterator[tuple[tuple[str, str, str], torch.Tensor]]:
    for kind, entities in state.items():
        for name, values in entities.items():
            for key, value in values.items():
                yield (kind, name, key), getattr(value, "torch", value)


def settle(env: Any) -> None:
    """Evaluate kinematics that Newton put off after a write."""
    manager = env.sim.physics_manager
    if hasattr(manager, "_update_sensors"):
        manager.forward()


def refresh(env: Any) -> None:
    """Make derived quantities and sensors follow a state that was written, without stepping physics."""
    settle(env)
    outdate(env)
    manager = env.sim.physics_manager
    if hasattr(manager, "_update_sensors"):  # Newton evaluates frame sensors inside its step only
        manager._update_sensors(None)
    for sensor in env.scene.sensors.values():
        sensor.update(0.0, force_recompute=True)


def outdate(env: Any) -> None:
    """Make assets derive again, when asked, what they have derived from the state."""
    for asset in _assets(env):
        for name, value in vars(asset.data).items():
            # accelerations are differences over time: their buffers are part of the state
            if hasattr(value, "timestamp") and "_acc" not in name:
                value.timestamp = -1.0


def _assets(env: Any) -> list[Any]:
    return [*env.scene.articulations.values(), *env.scene.rigid_objects.values()]


def _physics_buffers(env: Any) -> Iterator[torch.Tensor]:
    manager = env.sim.physics_manager
    backend = getattr(manager, "backend", None)
    if backend is None or not hasattr(backend, "state_0"):
        return
    arrays = [*vars(backend.state_0).values(), *vars(backend.control).values()]
    data = manager._solver.mjw_data
    arrays += [
        getattr(data, name) for name in ("qpos", "qvel", "act", "ctrl", "qacc_warmstart", "mocap_pos", "mocap_quat")
    ]
    for array in arrays:
        if isinstance(array, wp.array) and array.size and array.shape[0] % env.num_envs == 0:
            # Newton lays worlds out one after the other
            yield wp.to_torch(array).reshape(env.num_envs, -1)


class _Walk:
    """Finds where the objects around an environment keep arrays with one row per environment."""

    _VIEWS = ("ProxyArray",)
    """Isaac Lab's wrappers around arrays that are found where they are kept."""
    _FOREIGN = ("torch", "warp", "newton", "builtins", "numpy", "pxr", "mujoco", "logging")

    def __init__(self, env: Any) -> None:
        self._env = env
        self._visited: set[int] = {id(env), id(env.scene), id(env.sim), id(env.cfg)}
        self._memory: set[int] = set()

    def places(self) -> Iterator[tuple[Any, Any]]:
        """Yields (owner, key): an object and attribute name, or a dict or list and its key."""
        env = self._env
        # the scene first: terms point into it
        # its integers are maps from environments to bodies, which stay when states move
        scene = [*_assets(env), *env.scene.sensors.values()]
        for owner, key in self._container(scene, list(enumerate(scene)), depth=6):
            if _is_float(owner[key] if isinstance(owner, (dict, list)) else getattr(owner, key)):
                yield owner, key
        episode = {
            "action": env.action_manager,
            "observation": env.observation_manager,
            "command": env.command_manager,
            "event": env.event_manager,
            "episode_length": env.episode_length_buf,
        }
        yield from self._container(episode, list(episode.items()), depth=6)

    def _container(self, owner: Any, items: list[tuple[Any, Any]], depth: int) -> Iterator[tuple[Any, Any]]:
        for key, value in items:
            if isinstance(value, (torch.Tensor, wp.array)):
                if self._is_new_row_buffer(value):
                    yield owner, key
            elif id(value) not in self._visited and depth > 0:
                self._visited.add(id(value))
                if isinstance(value, dict):
                    yield from self._container(value, list(value.items()), depth - 1)
                elif isinstance(value, list):
                    yield from self._container(value, list(enumerate(value)), depth - 1)
                elif isinstance(value, tuple):
                    yield from self._container(list(value), list(enumerate(value)), depth - 1)
                elif self._is_isaac_lab(value):
                    yield from self._container(value, list(vars(value).items()), depth - 1)

    def _is_isaac_lab(self, value: Any) -> bool:
        kind = type(value)
        return (
            hasattr(value, "__dict__")
            and kind.__name__ not in self._VIEWS
            and kind.__module__.split(".")[0] not in self._FOREIGN
        )

    def _is_new_row_buffer(self, value: Any) -> bool:
        if value.ndim == 0 or value.shape[0] != self._env.num_envs or 0 in value.shape:
            return False
        if isinstance(value, wp.array) and not value.is_contiguous:
            return False  # a view of something that is visited as a whole
        address = int(value.ptr or 0) if isinstance(value, wp.array) else value.data_ptr()
        if address in self._memory:
            return False
        self._memory.add(address)
        return True


def _is_float(value: Any) -> bool:
    return (wp.to_torch(value) if isinstance(value, wp.array) else value).is_floating_point()
