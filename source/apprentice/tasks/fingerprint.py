"""Tells whether two sessions simulate the same physics, so that a replay may be expected to come out the same."""

from __future__ import annotations

import hashlib
import importlib
from typing import Any

import numpy as np

from .session import Session


def physics_fingerprint(session: Session) -> str:
    """A short hash of what decides how an episode evolves: time steps, solver and, on `native`, the whole model."""
    env = session.env
    digest = hashlib.sha256(repr((session.backend, env.physics_dt, env.cfg.decimation)).encode())
    digest.update(repr(env.cfg.sim.physics).encode())
    if session.backend == "native":
        from apprentice.sim.native import solver

        mujoco: Any = importlib.import_module("mujoco")  # its types leave these functions out
        model = solver().mj_model
        content = np.empty(mujoco.mj_sizeModel(model), np.uint8)
        mujoco.mj_saveModel(model, None, content)
        digest.update(content.tobytes())
    return digest.hexdigest()[:16]
