"""The `native` backend: Isaac Lab's Newton environments, stepped by MuJoCo C on the CPU.

Newton keeps the model and the state that Isaac Lab reads and writes; each physics step hands all worlds to the thread
pool of `mujoco.rollout`, all substeps in one call. Isaac Lab finds the manager through `NewtonSolverCfg.class_type`.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco is compiled and has no types

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, ClassVar

import mujoco
import numpy as np
from isaaclab_newton.physics import NewtonManager
from isaaclab_newton.physics.mjwarp_manager import NewtonMJWarpManager
from mujoco import rollout
from newton.solvers import SolverMuJoCo
from numpy.typing import NDArray

from . import warp_launches
from .native_contacts import write_contacts
from .native_model import WorldModels

logger = logging.getLogger(__name__)

KINEMATIC_ARMATURE = 1e10
"""Armature by which Newton's MuJoCo solver makes a body kinematic."""

SPARSE_FROM = 40
"""Degrees of freedom from which on MuJoCo's solver works on sparse matrices."""

_CONTROL = (
    mujoco.mjtState.mjSTATE_CTRL
    | mujoco.mjtState.mjSTATE_QFRC_APPLIED
    | mujoco.mjtState.mjSTATE_XFRC_APPLIED
    | mujoco.mjtState.mjSTATE_MOCAP_POS
    | mujoco.mjtState.mjSTATE_MOCAP_QUAT
)


class SolverMuJoCoNative(SolverMuJoCo):
    """Newton's MuJoCo solver with the stepping done by MuJoCo C."""

    threads: ClassVar[int] = 1
    """Threads that step worlds. Set before the environment is created."""

    active: NDArray[np.intp] | None = None
    """Worlds to step; the others keep their state. None means all."""

    def __init__(self, model: Any, **kwargs: Any) -> None:
        super().__init__(model, **kwargs)
        warp_launches.install()
        data = self.mjw_data
        _solve_kinematic_bodies_fully(self.mj_model, self.mjw_model)
        _solve_many_joints_sparsely(self.mj_model)
        self._worlds = WorldModels(self.mj_model, self.mjw_model, data.nworld)
        self._pool = rollout.Rollout(nthread=self.threads if self.threads > 1 else 0)
        self._scratch = [mujoco.MjData(self._worlds.models[0]) for _ in range(max(1, self.threads))]
        mj = self.mj_model
        size = mujoco.mj_stateSize(mj, mujoco.mjtState.mjSTATE_FULLPHYSICS)
        known = 1 + mj.nq + mj.nv + mj.na
        if size != known:
            raise RuntimeError(f"Expected MuJoCo's state to be time, qpos, qvel, act ({known} numbers), found {size}.")
        n = data.nworld
        self._state = np.zeros((n, size))
        self._control = np.zeros((n, 1, mujoco.mj_stateSize(mj, _CONTROL)))
        self._warm_start = np.zeros((n, mj.nv))
        self._result = np.zeros((n, 1, size))
        self._all = np.arange(n)
        # numpy views of Warp's CPU arrays: writing them is writing Newton's data
        self._qpos, self._qvel, self._act = data.qpos.numpy(), data.qvel.numpy(), data.act.numpy()
        self._qacc = data.qacc_warmstart.numpy()
        self._inputs = [
            array.numpy().reshape(n, -1)
            for array in (data.ctrl, data.qfrc_applied, data.xfrc_applied, data.mocap_pos, data.mocap_quat)
        ]

    def _notify_model_changed(self, flags: Any) -> None:
        super()._notify_model_changed(flags)
        if hasattr(self, "_worlds"):
            self._worlds.synchronise(self.mjw_model)

    def world_model(self, world: int) -> Any:
        """The `MjModel` of a world, to be copied and not changed."""
        return self._worlds.models[world]

    def mocap_poses(self, world: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where the fixed bases of a world stand: positions (M, 3) and quaternions wxyz (M, 4)."""
        data = self.mjw_data
        return data.mocap_pos.numpy()[world], data.mocap_quat.numpy()[world]

    def advance(self, state: Any, control: Any, dt: float, substeps: int) -> None:
        """Advance `state` in place by `substeps` steps of `dt` seconds under constant `control`."""
        self._apply_mjc_control(self.model, state, control, self.mjw_data)
        self._update_mjc_data(self.mjw_data, self.model, state)
        self._integrate(dt, substeps)
        self._update_newton_state(self.model, state, self.mjw_data, state_prev=state)
        self._step += substeps

    def update_contacts(self, contacts: Any, state: Any = None) -> None:
        """Write what touches what now, and how hard, into Newton's `contacts`: what contact sensors read."""
        del state  # what MuJoCo has is the same
        shapes: Any = self.mjc_geom_to_newton_shape
        write_contacts(contacts, self._solved(), shapes.numpy())

    def _solved(self) -> Iterator[tuple[Any, Any]]:
        """Model and data of each world in its present state, with its forces; the data until the next one's."""
        mj, data = self.mj_model, self._scratch[0]
        full = np.zeros(self._state.shape[1])
        for world, model in enumerate(self._worlds.models):
            full[1 : 1 + mj.nq] = self._qpos[world]
            full[1 + mj.nq : 1 + mj.nq + mj.nv] = self._qvel[world]
            full[1 + mj.nq + mj.nv :] = self._act[world]
            mujoco.mj_setState(model, data, full, mujoco.mjtState.mjSTATE_FULLPHYSICS)
            mujoco.mj_setState(model, data, self._control[world, 0], _CONTROL)
            data.qacc_warmstart[:] = self._qacc[world]
            mujoco.mj_forward(model, data)
            yield model, data

    def _integrate(self, dt: float, substeps: int) -> None:
        models, mj = self._worlds.models, self.mj_model
        if models[0].opt.timestep != dt:
            self._worlds.set_timestep(dt)
        nq, nv = mj.nq, mj.nv
        state, inputs, warm_start = self._state, self._control[:, 0], self._warm_start
        state[:, 0] = 0.0
        state[:, 1 : 1 + nq] = self._qpos
        state[:, 1 + nq : 1 + nq + nv] = self._qvel
        state[:, 1 + nq + nv :] = self._act
        column = 0
        for values in self._inputs:
            inputs[:, column : column + values.shape[1]] = values
            column += values.shape[1]
        warm_start[:] = self._qacc
        if self._result.shape[1] != substeps:
            self._result = np.zeros((len(models), substeps, state.shape[1]))
        worlds = self._all if self.active is None else self.active
        if len(worlds) == 0:
            return
        result = self._roll_out(worlds, substeps)
        before = result[:, -2] if substeps > 1 else state[worlds]
        after = result[:, -1]
        failed = worlds[np.abs(after[:, 0] - substeps * dt) > 0.5 * dt]
        if len(failed):
            logger.warning("The simulation became unstable in environments %s; they were left as they were.", failed)
        self._qpos[worlds] = after[:, 1 : 1 + nq]
        self._qvel[worlds] = after[:, 1 + nq : 1 + nq + nv]
        self._act[worlds] = after[:, 1 + nq + nv :]
        # the solver's last acceleration is where its next search starts; rollout does not return it
        self._qacc[worlds] = (after[:, 1 + nq : 1 + nq + nv] - before[:, 1 + nq : 1 + nq + nv]) / dt

    def _roll_out(self, worlds: NDArray[np.intp], substeps: int) -> NDArray[np.float64]:
        """Step `worlds`. Returns states after every substep. Shape (len(worlds), substeps, state size)."""
        everything = len(worlds) == len(self._all)
        models = self._worlds.models if everything else [self._worlds.models[i] for i in worlds]
        state, control, warm_start, result = self._state, self._control, self._warm_start, self._result
        if not everything:
            state, control, warm_start = state[worlds], control[worlds], warm_start[worlds]
            result = np.empty((len(worlds), *result.shape[1:]))
        if substeps > 1:
            control = np.repeat(control, substeps, axis=1)
        self._pool.rollout(
            models,
            self._scratch,
            state,
            control,
            control_spec=int(_CONTROL),
            skip_checks=True,  # of what is made here: they take longer than stepping a few worlds
            nstep=substeps,
            initial_warmstart=warm_start,
            state=result,
        )
        return result


def _solve_kinematic_bodies_fully(mj_model: Any, mjw_model: Any) -> None:
    """Keep MuJoCo's solver from stopping at once where something touches a kinematic body.

    Newton makes a kinematic body one with an armature of 1e10. MuJoCo measures convergence against the mean inertia:
    for a whole model the one that Newton has corrected, but for a constraint island that of the island, next to which
    all forces on a small object are nothing. It would return whatever it started from, and pegs would fly.
    """
    if (mjw_model.dof_armature.numpy() >= KINEMATIC_ARMATURE).any():
        mj_model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)


def _solve_many_joints_sparsely(mj_model: Any) -> None:
    """Let MuJoCo's solver skip the zeros where most contacts move few of many joints: humanoids, and many objects.

    MuJoCo itself does so from 60 degrees of freedom on. A substep takes 6 % less time when the G1 holds a brick, 19 %
    when it walks with it, 22 % when the GR1T2 hands a stick over, 24 % when beads are poured, and a fifth more where
    arms with grippers (24 to 27) do their tasks.
    """
    if mj_model.nv >= SPARSE_FROM:
        mj_model.opt.jacobian = int(mujoco.mjtJacobian.mjJAC_SPARSE)


class NewtonNativeManager(NewtonMJWarpManager):
    """Isaac Lab's Newton manager over `SolverMuJoCoNative`. Isaac Lab's factories want a name that starts "Newton"."""

    @classmethod
    def _create_solver(cls, model: Any, solver_cfg: Any) -> SolverMuJoCoNative:
        kwargs = cls._filter_solver_kwargs(SolverMuJoCo, solver_cfg)
        kwargs.pop("ls_parallel", None)
        return SolverMuJoCoNative(model, **kwargs)

    @classmethod
    def _run_solver_substeps(cls, contacts: Any) -> None:
        del contacts  # MuJoCo C finds its own
        backend: Any = cls.backend
        cls._apply_staged_body_forces(backend.state_0)
        for callback in cls._state_force_callbacks:
            callback(backend.state_0)
        solver().advance(backend.state_0, backend.control, cls._solver_dt, cls._num_substeps)
        backend.state_0.clear_forces()


def solver() -> SolverMuJoCoNative:
    """The solver of the simulation that is running in this process."""
    found: Any = NewtonManager._solver
    return found
