"""Gives environments a physics of their own while they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import warp as wp

from apprentice.errors import UserError

from .physics import Physics


class Properties:
    """Sets the properties of environments. What it finds when it is made is what factors refer to."""

    def __init__(self, env: Any) -> None:
        """Remember the properties of `env`, an open environment."""
        self._env = env
        self._now = [Physics()] * env.num_envs
        self._mass = {name: body.data.body_mass.torch.clone() for name, body in env.scene.rigid_objects.items()}
        self._inertia = {name: body.data.body_inertia.torch.clone() for name, body in env.scene.rigid_objects.items()}
        self._friction: torch.Tensor | None = None

    def set(self, env_ids: Sequence[int], physics: Sequence[Physics]) -> None:
        """Change environments; from the next step on.

        Args:
            env_ids: Which.
            physics: For each of them.

        Raises:
            UserError: If there is no such object, or friction cannot be changed on this backend.
        """
        changed = [(i, wanted) for i, wanted in zip(env_ids, physics, strict=True) if wanted != self._now[i]]
        unknown = {name for _, wanted in changed for name in wanted.mass} - self._mass.keys()
        if unknown:
            raise UserError(f"Expected masses of {', '.join(self._mass)}, found one for {', '.join(sorted(unknown))}.")
        if any(wanted.friction != self._now[i].friction for i, wanted in changed):
            self._set_friction({i: wanted.friction for i, wanted in changed})
        for name in self._mass:
            factors = {i: wanted.mass.get(name, 1.0) for i, wanted in changed}
            if any(factor != self._now[i].mass.get(name, 1.0) for i, factor in factors.items()):
                self._set_mass(name, factors)
        for i, wanted in changed:
            self._now[i] = wanted

    def _set_mass(self, name: str, factors: Mapping[int, float]) -> None:
        body, ids = self._env.scene.rigid_objects[name], list(factors)
        scale = torch.tensor(list(factors.values()), dtype=torch.float32, device=self._env.device)
        rows = torch.tensor(ids, dtype=torch.int32, device=self._env.device)
        body.set_masses_index(masses=self._mass[name][ids] * scale[:, None], env_ids=rows)
        body.set_inertias_index(inertias=self._inertia[name][ids] * scale[:, None, None], env_ids=rows)

    def _set_friction(self, factors: Mapping[int, float]) -> None:
        manager = self._env.sim.physics_manager
        if not hasattr(manager, "get_model"):
            raise UserError("Expected a backend that can change friction (native, newton), found another.")
        from newton import ModelFlags

        model = manager.get_model()
        friction, worlds = wp.to_torch(model.shape_material_mu), wp.to_torch(model.shape_world)
        if self._friction is None:
            self._friction = friction.clone()
        for env_id, factor in factors.items():
            there = worlds == env_id
            friction[there] = self._friction[there] * factor
        manager.add_model_change(ModelFlags.SHAPE_PROPERTIES)
