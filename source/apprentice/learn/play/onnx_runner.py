"""Plays an exported policy. Needs numpy and onnxruntime, nothing else: copy this file to wherever the robot is.

runner = PolicyRunner("exported")
runner.reset()                                  # at the start of every episode
action = runner.act({"eef_pos": ..., ...})      # once per control step, at the rate of `runner.control_hz`
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime


def draw(generator: np.random.Generator, size: int) -> np.ndarray:
    """Noise of a step, for policies that draw their actions: one uniform number, then `size` normal ones."""
    parts = generator.random(1), generator.standard_normal(size)
    return np.concatenate(parts).astype(np.float32)[None]


class PolicyRunner:
    """One policy in one environment."""

    def __init__(self, folder: str | Path, seed: int = 0) -> None:
        """Load policy.onnx and policy.json from `folder`. `seed` is that of policies that draw their actions."""
        folder = Path(folder)
        about = json.loads((folder / "policy.json").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / "policy.onnx"), options, providers=["CPUExecutionProvider"]
        )
        # a graph has no inputs that it does not use
        self._used = {one.name for one in self._session.get_inputs()}
        self._outputs: list[str] = about["outputs"]
        self._shapes = {key: (tuple(one["shape"]), one["dtype"]) for key, one in about["observations"].items()}
        self._memory_shapes = {key: (tuple(one["shape"]), one["dtype"]) for key, one in about["memory"].items()}
        self._noise = np.random.default_rng(seed)
        self.action_dim: int = about["action_dim"]
        self._noise_size: int = about["noise_size"]
        self.control_hz: float | None = about["control_hz"]
        """Control steps per second at which the policy was trained."""
        self.task: str | None = about["task"]
        """Task that it was trained for."""
        self.reset()

    @property
    def observations(self) -> dict[str, tuple[int, ...]]:
        """What `act` needs: shape of each observation."""
        return {key: shape for key, (shape, _) in self._shapes.items()}

    def reset(self) -> None:
        """Begin an episode."""
        self._age = 0
        self._memory = {
            f"memory/{key}": np.zeros((1, *shape), dtype=kind) for key, (shape, kind) in self._memory_shapes.items()
        }

    def act(self, obs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The action for these observations.

        Args:
            obs: Raw observations by name, as in a demo file. Others than those needed are ignored.

        Returns:
            Raw action, as the task takes it. Shape (A,).

        Raises:
            ValueError: If an observation is missing or has another shape.
        """
        given: dict[str, np.ndarray] = {}
        for key, (shape, kind) in self._shapes.items():
            value = np.asarray(obs[key], dtype=kind) if key in obs else None
            if value is None or value.shape != shape:
                found = "none" if value is None else f"shape {value.shape}"
                raise ValueError(f"Expected the observation '{key}' of shape {shape}, found {found}.")
            given[f"obs/{key}"] = value[None]
        given |= self._memory
        given["age"] = np.array([self._age], dtype=np.int64)
        given["noise"] = draw(self._noise, self._noise_size)
        results = self._session.run(self._outputs, {key: value for key, value in given.items() if key in self._used})
        action, *after = (np.asarray(result) for result in results)
        self._memory = dict(zip(self._memory, after, strict=True))
        self._age += 1
        return action[0]
