"""Opening Isaac Lab environments without Kit, quietly. Isaac Lab keeps one simulation per process."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from apprentice.errors import UserError

from .backends import configure
from .localise import localise

_open = False
_SHOWN_ON_FAILURE = 4000


@contextlib.contextmanager
def launched(
    env_class: Any, env_cfg: Any, *, backend: str = "native", num_envs: int = 1, seed: int = 0, threads: int = 1
) -> Iterator[Any]:
    """Create an Isaac Lab environment on local assets and the chosen backend.

    Terminations and recorders are taken off: whoever steps the environment decides when an episode ends and what is
    kept.

    Args:
        env_class: The environment's class, such as `ManagerBasedRLMimicEnv`.
        env_cfg: Its configuration; changed in place.
        backend: See `configure`.
        num_envs: Environments stepped together.
        seed: Isaac Lab's seed for what is drawn at start-up.
        threads: Processor threads for physics and for torch.

    Raises:
        UserError: If assets are missing, the backend can't run, or a simulation ran in this process before.
    """
    global _open
    if _open:
        raise UserError(
            "Expected one simulation per process, found a second: run each command in a process of its own."
        )
    warnings.filterwarnings("ignore", module=r"(isaaclab|newton|warp|gymnasium|torch)")
    localise(env_cfg, backend)
    configure(env_cfg, backend, num_envs, threads)
    env_cfg.seed = seed
    env_cfg.terminations = None
    env_cfg.recorders = None
    torch.set_num_threads(max(1, threads))
    from isaaclab.app import launch_simulation

    with launch_simulation(env_cfg, {"device": env_cfg.sim.device}), torch.inference_mode():
        logging.getLogger().setLevel(logging.ERROR)
        _open = True
        with quiet():
            env = env_class(cfg=env_cfg)
        try:
            yield env
        finally:
            with quiet():
                env.close()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the set-up chatter of Isaac Lab, Warp and USD off the terminal, unless APPRENTICE_VERBOSE is set.

    Much of it comes from native code, so the file descriptors themselves are turned away. If set-up fails, what was
    said is shown.
    """
    if os.environ.get("APPRENTICE_VERBOSE"):
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as chatter:
        try:
            os.dup2(chatter.fileno(), 1)
            os.dup2(chatter.fileno(), 2)
            yield
        except BaseException:
            chatter.seek(0)
            os.write(kept[1], chatter.read()[-_SHOWN_ON_FAILURE:])
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for target, descriptor in zip((1, 2), kept, strict=True):
                os.dup2(descriptor, target)
                os.close(descriptor)
