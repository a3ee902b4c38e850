"""Opening Isaac Lab environments without Kit, quietly. Isaac Lab keeps one simulation per process."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from apprentice.errors import UserError

from .backends import configure
from .localise import localise
from .quiet import quiet

_open = False


@contextlib.contextmanager
def launched(
    env_class: Any, env_cfg: Any, *, backend: str = "native", num_envs: int = 1, seed: int = 0, threads: int = 1
) -> Iterator[Any]:
    """Create an Isaac Lab environment on local assets and the chosen backend.

    Terminations, rewards and recorders are taken off: whoever steps the environment decides when an episode ends and
    what is kept.

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
    env_cfg.rewards = None  # may refer to terminations, and nobody asks for them
    for term in vars(env_cfg.events).values() if env_cfg.events else ():
        if getattr(term, "params", None) and "success_monitor" in term.params:
            # it would draw resets by the rewards of earlier episodes
            term.params["success_monitor"] = None
    env_cfg.curriculum = None
    env_cfg.recorders = None
    torch.set_num_threads(max(1, threads))
    from isaaclab.app import launch_simulation

    failure: BaseException | None = None
    with launch_simulation(env_cfg, {"device": env_cfg.sim.device}), torch.inference_mode():
        logging.getLogger().setLevel(logging.ERROR)
        _open = True
        env: Any = None
        try:
            with quiet():
                env = env_class(cfg=env_cfg)
            yield env
        except BaseException as error:
            failure = error  # Isaac Lab would print it, with its traceback, if it passed through there
        if env is not None:
            with quiet():
                env.close()
    if failure is not None:
        raise failure
