"""Per-world MuJoCo models, kept equal to what Newton holds for every world.

Newton's `mjw_model` holds each physical parameter once per world (`body_mass[world, body]`, ...). MuJoCo C wants one
`MjModel` per set of parameters. Worlds differ in more than what was randomised: static geometry and fixed bases stand
at each environment's origin.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco is compiled and has no types

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from apprentice.errors import UserError

from .native_bounds import bound_geometry

PER_WORLD_FIELDS = frozenset(
    """
    actuator_acc0 actuator_actrange actuator_biasprm actuator_cranklength actuator_ctrlrange actuator_dynprm
    actuator_forcerange actuator_gainprm actuator_gear actuator_lengthrange body_gravcomp body_inertia
    body_invweight0 body_ipos body_iquat body_mass body_pos body_quat body_subtreemass dof_armature dof_damping
    dof_frictionloss dof_invweight0 dof_solimp dof_solref eq_data eq_solimp eq_solref geom_friction geom_gap
    geom_margin geom_pos geom_quat geom_rbound geom_size geom_solimp geom_solmix geom_solref jnt_actfrcrange
    jnt_axis jnt_margin jnt_pos jnt_range jnt_solimp jnt_solref jnt_stiffness pair_friction pair_gap pair_margin
    pair_solimp pair_solref pair_solreffriction qpos0 qpos_spring site_pos site_quat tendon_actfrcrange
    tendon_armature tendon_damping tendon_frictionloss tendon_invweight0 tendon_length0 tendon_lengthspring
    tendon_margin tendon_range tendon_solimp_fri tendon_solimp_lim tendon_solref_fri tendon_solref_lim
    tendon_stiffness
    """.split()  # noqa: SIM905
)
"""Parameters that Newton expands per world and that MuJoCo C can follow."""

OPTION_FIELDS = ("density", "gravity", "magnetic", "viscosity", "wind")
"""Solver options that Newton expands per world and that MuJoCo C can follow."""

_GEOMETRY = ("geom_pos", "geom_quat", "geom_size", "geom_rbound")
_INERTIAL_FRAME = ("body_ipos", "body_iquat", "body_inertia")


class WorldModels:
    """The `MjModel` of every world, following Newton's per-world parameters.

    Worlds with equal parameters share one model, which then stays in the processor's cache: stepping 256 worlds of the
    cube stack takes 17 us a step with a shared model and 26 us with one model each.
    """

    def __init__(self, template: Any, mjw_model: Any, num_worlds: int) -> None:
        """Start from `template` (an `MjModel`) for `num_worlds` worlds and take over the parameters of `mjw_model`."""
        self._template = copy.copy(template)
        self.models: list[Any] = [self._template] * num_worlds
        self._seen: dict[str, NDArray[np.generic]] = {}
        self._contents = [b""] * num_worlds
        self.synchronise(mjw_model)

    def synchronise(self, mjw_model: Any) -> None:
        """Give every world in which a parameter changed since the last call a model with its parameters.

        It is made from the template: what a world was before leaves no trace in it.

        Raises:
            UserError: If a parameter that MuJoCo C cannot follow differs between worlds.
        """
        parameters = dict(self._parameters(mjw_model))
        changed = {int(world) for name, values in parameters.items() for world in self._changed(name, values)}
        timestep = self.models[0].opt.timestep
        known = {self._contents[i]: self.models[i] for i in range(len(self.models)) if i not in changed}
        for world in sorted(changed):
            content = hashlib.sha256(b"".join(values[world].tobytes() for values in parameters.values())).digest()
            if content not in known:
                known[content] = copy.copy(self._template)
                known[content].opt.timestep = timestep
                moved = [_set(known[content], name, values[world]) for name, values in parameters.items()]
                if any(moved):
                    bound_geometry(known[content], self._template)
            self._contents[world], self.models[world] = content, known[content]

    def set_timestep(self, dt: float) -> None:
        """Set the physics step [s] of every world."""
        for model in {id(model): model for model in self.models}.values():
            model.opt.timestep = dt

    def _parameters(self, mjw_model: Any) -> Iterator[tuple[str, NDArray[np.generic]]]:
        for prefix, owner, followed in (("", mjw_model, PER_WORLD_FIELDS), ("opt.", mjw_model.opt, OPTION_FIELDS)):
            for name, declared in owner.__dataclass_fields__.items():
                if name in followed:
                    values = getattr(owner, name).numpy()
                    if values.size:
                        yield prefix + name, np.broadcast_to(values, (len(self.models), *values.shape[1:]))
                # MuJoCo Warp writes the axis of worlds as "*"; other axes may be as long by chance
                elif name != "timestep" and tuple(getattr(declared.type, "shape", ()))[:1] == ("*",):
                    self._refuse_if_randomised(prefix + name, getattr(owner, name))

    def _changed(self, name: str, values: NDArray[np.generic]) -> NDArray[np.intp]:
        seen = self._seen.get(name)
        self._seen[name] = values.copy()
        if seen is None:
            return np.arange(len(values))
        return np.flatnonzero((values != seen).reshape(len(values), -1).any(axis=1))

    def _refuse_if_randomised(self, name: str, value: Any) -> None:
        if len(self.models) == 1 or not hasattr(value, "numpy") or value.ndim == 0:
            return
        if value.shape[0] != len(self.models) or value.size == 0:
            return
        values = value.numpy()
        if values.dtype.kind == "f" and (values != values[:1]).any():
            raise UserError(
                f"The native backend expects '{name}' to be the same in every environment and found it randomised; "
                "remove that randomisation or use --backend newton."
            )


def _set(model: Any, name: str, value: NDArray[np.generic]) -> bool:
    """Take a parameter over. Returns whether geometry has moved in its body by that."""
    owner, attribute = (model.opt, name.removeprefix("opt.")) if name.startswith("opt.") else (model, name)
    target = getattr(owner, attribute)
    # Newton holds float32; leave MuJoCo's own float64 constants where they agree to that precision
    if np.allclose(target, value.reshape(np.shape(target)), rtol=1e-6, atol=1e-9):
        return False
    if np.ndim(target) == 0:
        setattr(owner, attribute, float(value))
    else:
        target[...] = value.reshape(target.shape)
    _forget_shortcuts(model, name)
    return name in _GEOMETRY + _INERTIAL_FRAME


def _forget_shortcuts(model: Any, field: str) -> None:
    """Clear what MuJoCo's compiler derived from values that have changed since.

    The compiler marks frames that coincide (`*_sameframe`) and diagonal inertias (`body_simple`) so that kinematics may
    skip work. Stale marks give silently wrong poses.
    """
    none = int(mujoco.mjtSameFrame.mjSAMEFRAME_NONE)
    if field in ("geom_pos", "geom_quat"):
        model.geom_sameframe[:] = none
    elif field in ("site_pos", "site_quat"):
        model.site_sameframe[:] = none
    elif field in _INERTIAL_FRAME:
        model.body_sameframe[:] = none
        model.body_simple[:] = 0
        model.dof_simplenum[:] = 0
