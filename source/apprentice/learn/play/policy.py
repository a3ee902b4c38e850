"""Playing a checkpoint in many environments at once, each with its own beginning, memory and noise."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apprentice.errors import UserError
from apprentice.learn.algorithms.anatomy import networks, observed
from apprentice.learn.algorithms.plugins import quiet, require_robomimic
from apprentice.learn.files import POLICY
from apprentice.learn.play.noise import Noise
from apprentice.learn.play.step import GOAL, Memory, Step, looks, noise_size, step_function, takes_metres

_IMAGES = ("rgb", "depth")
"""Robomimic's names of what cameras see."""


class BatchedPolicy:
    """A policy for N environments. No environment's reset or absence changes what another one does."""

    def __init__(
        self,
        algo: Any,
        observation: Mapping[str, Any],
        shapes: Mapping[str, Any],
        obs_statistics: Mapping[str, Any] | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Wrap a Robomimic algorithm; users call `load_policy`.

        Args:
            algo: The algorithm, with its weights.
            observation: The section "observation" of its config.
            shapes: Robomimic's shape metadata.
            obs_statistics: Robomimic's observation statistics, if observations are normalised outside the network.
            about: What the checkpoint says of its training.
        """
        algo.set_eval()
        self.about = dict(about or {})
        self.action_dim = int(shapes["ac_dim"])
        self._modality = {key: name for name, keys in observed(observation).items() for key in keys}
        self._modality |= {GOAL + key: name for name, keys in observed(observation, "goal").items() for key in keys}
        self._device: torch.device = algo.device
        self.nets: torch.nn.ModuleDict = networks(algo)
        self._shapes: Mapping[str, Sequence[int]] = shapes["all_shapes"]
        self._step: Step = step_function(algo)
        self.noise_size = noise_size(algo)
        self._algo = algo
        self._metres = takes_metres(algo)
        self._statistics = {
            key: tuple(
                # statistics of a frame stack repeat those of one frame
                torch.tensor(np.asarray(values[name]), dtype=torch.float32, device=self._device)[-1]
                for name in ("mean", "std")
            )
            for key, values in (obs_statistics or {}).items()
        }
        self._seed = 0
        self.start(1)

    @property
    def obs_keys(self) -> tuple[str, ...]:
        """Observations that `act` needs, by their key below `obs/` of a demo file; "goal/KEY" is one to be reached."""
        return tuple(self._modality)

    @property
    def obs_shapes(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Shape and type of each of them as an environment gives it: images are (H, W, C), bytes or metres."""
        shapes: dict[str, tuple[tuple[int, ...], str]] = {}
        for key, modality in self._modality.items():
            shape = tuple(int(size) for size in self._shapes[key.removeprefix(GOAL)])
            if modality in _IMAGES:
                shape = (*shape[1:], shape[0])
            shapes[key] = (shape, "uint8" if modality == "rgb" else "float32")
        return shapes

    @property
    def num_envs(self) -> int:
        """Number of environments, N."""
        return len(self._age)

    def start(self, num_envs: int, seed: int = 0) -> None:
        """Begin with this many environments, all just reset. `seed` is that of policies that draw their actions."""
        self._seed = seed
        self._age = torch.zeros(num_envs, dtype=torch.int64, device=self._device)
        self._memory: Memory = {}
        self._noise = [_generator(seed, number) for number in range(num_envs)]

    def reset(self, env_ids: Sequence[int] | Tensor | None = None, seeds: Sequence[int] | None = None) -> None:
        """Tell that environments were reset; the others go on.

        Args:
            env_ids: Which ones. None means all.
            seeds: Seed of the noise of each, so that an episode can be had again in any slot. None goes on drawing.
        """
        rows = self._rows(env_ids)
        self._age[rows] = 0
        for row, seed in zip(rows.tolist(), seeds or (), strict=seeds is not None):
            self._noise[row] = _generator(seed, 0)

    def act(self, obs: Mapping[str, Tensor], env_ids: Sequence[int] | Tensor | None = None) -> Tensor:
        """Actions for the present observations.

        Args:
            obs: Observations by key; others are ignored. Row i belongs to environment `env_ids[i]`. Shape (N, ...).
            env_ids: Which environments act; the others stay as they are. None means all, in order.

        Returns:
            Raw actions as `env.step` takes them, on the device of the observations. Shape (N, A).

        Raises:
            UserError: If an observation is missing or has another shape than in training.
        """
        rows = self._rows(env_ids)
        home = next(iter(obs.values())).device if obs else self._device
        with torch.inference_mode():
            memory = {key: value[rows] for key, value in self._memory.items()}
            noise = Noise([self._noise[row] for row in rows.tolist()], self.noise_size, self._device)
            actions, memory = self.step(obs, memory, self._age[rows], noise)
            if not self._memory:
                self._memory = {key: value.new_zeros(self.num_envs, *value.shape[1:]) for key, value in memory.items()}
            for key, value in memory.items():
                self._memory[key][rows] = value
            self._age[rows] += 1
        # a tensor from inference mode could not be changed in place by the caller
        return actions.to(home).clone()

    def step(self, obs: Mapping[str, Tensor], memory: Memory, age: Tensor, noise: Noise) -> tuple[Tensor, Memory]:
        """What `act` does, as a function of everything that it depends on: for export.

        Args:
            obs: Observations by key. Shape (N, ...).
            memory: What this returned a step ago, {} if nothing yet. Shape (N, ...).
            age: Steps since each environment was reset. Shape (N,).
            noise: What policies that draw their actions draw from.

        Returns:
            Raw actions of shape (N, A), and the memory for the next step.

        Raises:
            UserError: If an observation is missing or has another shape than in training.
        """
        return self._step(self._prepared(obs, len(age)), memory, age, noise)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Observations that are images."""
        return tuple(key for key, modality in self._modality.items() if modality in _IMAGES)

    def looking(self) -> Tensor:
        """Whether the next action of each environment depends on images. Shape (N,), bool."""
        return looks(self._algo, self._age)

    def _rows(self, env_ids: Sequence[int] | Tensor | None) -> Tensor:
        if env_ids is None:
            return torch.arange(self.num_envs, device=self._device)
        return torch.as_tensor(env_ids, dtype=torch.int64, device=self._device)

    def _prepared(self, obs: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
        from robomimic.utils import obs_utils

        prepared: dict[str, Tensor] = {}
        for key, modality in self._modality.items():
            if key not in obs:
                raise UserError(
                    f"Expected the observation {key!r}, which this policy was trained with"
                    f" (task {self.about.get('task') or 'unknown'}), found only: {', '.join(sorted(obs))}; evaluate it"
                    " on the task that it was trained for."
                )
            value = obs[key].to(self._device)
            if len(value) != count:
                raise ValueError(
                    f"Expected {count} rows of {key!r}, one for each acting environment, got {len(value)}."
                )
            if modality == "depth" and self._metres:
                value = value.movedim(-1, -3).float()
            else:
                value = obs_utils.process_obs(value, obs_modality=modality).float()
            if (name := key.removeprefix(GOAL)) in self._statistics:
                mean, std = self._statistics[name]
                if value.shape[1:] != mean.shape:
                    raise UserError(
                        f"Expected observation {key!r} of shape {tuple(mean.shape)}, as in training, got"
                        f" {tuple(value.shape[1:])}; evaluate the policy on the task that it was trained for."
                    )
                value = (value - mean) / std
            prepared[key] = value
        return prepared


def load_policy(path: Path | str, device: str = "cpu") -> BatchedPolicy:
    """Load a checkpoint: ours, or one that Robomimic wrote.

    Args:
        path: A checkpoint, or the folder that `apprentice train` wrote.
        device: Where it runs.

    Raises:
        UserError: If there is no checkpoint, training has not finished, or the file is something else.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / POLICY).exists():
            raise UserError(
                f"Expected {POLICY} in {path}, found none; training there has not finished (run the same `apprentice"
                " train` again to go on)."
            )
        path = path / POLICY
    elif not path.exists():
        raise UserError(f"Expected a checkpoint at {path}, found no such file.")
    require_robomimic()
    from robomimic.utils import file_utils

    try:
        content = torch.load(path, map_location=device, weights_only=True)
        with quiet():
            rollout, _ = file_utils.policy_from_checkpoint(ckpt_dict=content, device=torch.device(device))
        config = json.loads(content["config"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"Expected a Robomimic checkpoint at {path}, but it cannot be loaded ({error}).") from error
    return BatchedPolicy(
        rollout.policy,
        config["observation"],
        content["shape_metadata"],
        rollout.obs_normalization_stats,
        content.get("apprentice"),
    )


def _generator(seed: int, number: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed * 1_000_003 + number) % 2**63)
