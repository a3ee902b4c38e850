"""Physics backends: the one place that knows Isaac Lab's physics configurations."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from typing import Any, Literal, get_args

from apprentice.errors import UserError

Backend = Literal["native", "newton", "ovphysx", "isaacsim"]
"""What steps the physics: MuJoCo C on the CPU, mujoco_warp, PhysX without Kit, or Isaac Sim."""

BACKENDS: tuple[Backend, ...] = get_args(Backend)

MAX_PHYSICS_STEP_S = 0.005
"""Longest MuJoCo step that keeps a stiff arm's grasp calm; a task's physics step is cut into steps of at most this."""

_SERVED_SENSORS = {"FrameTransformerCfg", "ContactSensorCfg", "CameraCfg", "TiledCameraCfg"}


def why_unavailable(backend: str) -> str | None:
    """The reason that `backend` can't run on this machine, with the cure, or None if it can.

    Raises:
        UserError: If there is no such backend.
    """
    if backend not in BACKENDS:
        raise UserError(f"Expected one of the backends {', '.join(BACKENDS)}, found '{backend}'.")
    if backend == "ovphysx" and importlib.util.find_spec("ovphysx") is None:
        return "The ovphysx backend needs PhysX: run `pip install 'isaaclab-apprentice[ovphysx]'`."
    if backend == "isaacsim":
        if importlib.util.find_spec("isaacsim") is None:
            return (
                "The isaacsim backend needs Isaac Sim in this environment: install it by NVIDIA's instructions for "
                "Isaac Lab 3.0, or use --backend native or ovphysx."
            )
        if not _has_gpu():
            return "The isaacsim backend needs an NVIDIA GPU and found none: use --backend native or ovphysx."
    return None


def configure(env_cfg: Any, backend: str = "native", num_envs: int = 1, threads: int = 1) -> None:
    """Set the physics of an Isaac Lab environment configuration, in place.

    Args:
        env_cfg: A `ManagerBasedRLEnvCfg`, localised.
        backend: One of `BACKENDS`.
        num_envs: Environments that are stepped together.
        threads: Processor threads that step the physics (`native` only; the others choose their own).

    Raises:
        UserError: If the backend can't run here, or can't serve something that the task asks for.
    """
    reason = why_unavailable(backend)
    if reason is not None:
        raise UserError(reason)
    env_cfg.scene.num_envs = num_envs
    env_cfg.scene.replicate_physics = True
    env_cfg.sim.device = "cpu" if backend == "native" or not _has_gpu() else "cuda:0"
    if backend in ("native", "newton"):
        env_cfg.sim.physics = _newton(backend, env_cfg.sim.dt)
    elif backend == "ovphysx":
        from isaaclab_ov.physics import OvPhysxCfg

        if env_cfg.sim.device == "cpu":
            _allow_pinned_memory_without_cuda()
        env_cfg.sim.physics = OvPhysxCfg()
    else:
        from isaaclab_physx.physics import PhysxCfg

        env_cfg.sim.physics = PhysxCfg()
    if backend == "native":
        from .native import SolverMuJoCoNative

        _refuse_unserved_sensors(env_cfg)
        _use_cheaper_actions(env_cfg)
        SolverMuJoCoNative.threads = threads
    if backend in ("native", "newton"):
        # Worlds never meet, so they may all stand at the origin. Then equal states give equal numbers in every
        # environment, and worlds share one MuJoCo model.
        env_cfg.scene.env_spacing = 0.0


def _newton(backend: str, dt: float) -> Any:
    from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg, NewtonShapeCfg

    solver = MJWarpSolverCfg(
        solver="newton",
        integrator="implicitfast",
        cone="elliptic",
        impratio=10.0,
        iterations=100,
        ls_iterations=50,  # fewer make mujoco_warp report an exhausted line search at every grasp
        njmax=300,
        nconmax=200,
        # MuJoCo Warp finds a single contact, now here and now there, for many a box that stands on another: a cube on a
        # cube sinks into it by half its height within a second. Newton's own contacts are those of MuJoCo C.
        use_mujoco_contacts=backend == "native",
    )
    # set before NewtonCfg copies it
    if backend == "native":
        solver.class_type = "apprentice.sim.native:NewtonNativeManager"
    return NewtonCfg(
        solver_cfg=solver,
        num_substeps=max(1, math.ceil(dt / MAX_PHYSICS_STEP_S - 1e-6)),
        # Isaac Lab's gap of 1 cm lets MuJoCo find contacts that bear no force yet: the same motion, bit for bit, slower
        default_shape_cfg=NewtonShapeCfg(gap=0.0),
    )


def _use_cheaper_actions(env_cfg: Any) -> None:
    from isaaclab.envs.mdp.actions.actions_cfg import (
        BinaryJointPositionActionCfg,
        DifferentialInverseKinematicsActionCfg,
    )

    from .chain_ik import ChainIKAction
    from .joint_targets import SteadyBinaryJointPositionAction

    for term in vars(env_cfg.actions).values():
        if type(term) is DifferentialInverseKinematicsActionCfg:
            term.class_type = ChainIKAction
        elif type(term) is BinaryJointPositionActionCfg:
            term.class_type = SteadyBinaryJointPositionAction


def _refuse_unserved_sensors(env_cfg: Any) -> None:
    unserved = [f"'{name}' ({kind})" for name, kind in _sensors(env_cfg.scene) if kind not in _SERVED_SENSORS]
    if unserved:
        raise UserError(
            "The native backend serves frame transformers, contact sensors and cameras; this task also asks for"
            f" {', '.join(unserved)}: use --backend newton or ovphysx, or set those sensors to None in the scene."
        )


def _sensors(scene_cfg: Any) -> Iterator[tuple[str, str]]:
    from isaaclab.sensors import SensorBaseCfg

    for name, value in vars(scene_cfg).items():
        if isinstance(value, SensorBaseCfg):
            yield name, type(value).__name__


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _allow_pinned_memory_without_cuda() -> None:
    """Let Isaac Lab's PhysX binding ask for page-locked memory on a machine without CUDA.

    Warp gives such memory only where CUDA is. It is a matter of transfer speed to a GPU that is not there, so ordinary
    memory does as well.
    """
    import warp as wp

    wp.init()
    cpu: Any = wp.get_device("cpu")
    if not wp.is_cuda_available():
        cpu.pinned_allocator = cpu.default_allocator
