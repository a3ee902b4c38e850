"""How every local robot is spawned: its model from the cache, standing fixed, its weight compensated."""

from __future__ import annotations

from typing import Any

from isaaclab_newton.sim.schemas import MujocoRigidBodyCfg, NewtonArticulationCfg
from isaaclab_physx.sim.schemas import PhysxArticulationCfg, PhysxRigidBodyCfg

from .assets import UrdfModel, usd_path


def spawn_locally(spawn: Any, model: UrdfModel) -> None:
    """Point a `UsdFileCfg` at the local model, in place.

    Gravity is compensated, as the controllers of the real arms do.

    Raises:
        UserError: If the model cannot be converted, see `usd_path`.
    """
    spawn.usd_path = str(usd_path(model))
    spawn.variants = None
    spawn.fix_root_link = True
    # each backend reads its own fragment and ignores the other's
    spawn.rigid_props = [
        PhysxRigidBodyCfg(disable_gravity=True, max_depenetration_velocity=5.0),
        MujocoRigidBodyCfg(gravcomp=1.0),
    ]
    spawn.articulation_props = [
        PhysxArticulationCfg(
            enabled_self_collisions=False, solver_position_iteration_count=8, solver_velocity_iteration_count=0
        ),
        NewtonArticulationCfg(self_collision_enabled=False),
    ]
