"""A policy as one file that needs neither Robomimic nor us: ONNX and TorchScript, normalisation and memory inside.

The exported graph is one control step of one environment: raw observations, the memory of the step before and the age
of the episode go in, the raw action and the new memory come out. `onnx_runner.py`, copied beside it, plays it with
numpy and onnxruntime alone.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from apprentice.errors import UserError
from apprentice.learn.play import onnx_runner
from apprentice.learn.play.noise import GivenNoise
from apprentice.learn.play.policy import BatchedPolicy, load_policy
from apprentice.poses import exp_rotation, make_pose

ONNX, TORCHSCRIPT, ABOUT, RUNNER = "policy.onnx", "policy.ts", "policy.json", "onnx_runner.py"
CHECKED_STEPS = 40
"""Control steps over which the exported policies are compared with the checkpoint."""
TOLERANCE = 1e-4
"""Largest difference of an action value that counts as equal. Single precision leaves about a tenth of it."""


@dataclass(kw_only=True, frozen=True)
class Exported:
    folder: Path
    """Where the files are."""
    onnx_difference: float
    """Largest difference of any action value from the checkpoint's, over `CHECKED_STEPS`."""
    torchscript_difference: float
    """The same of the TorchScript file."""


class StepModule(nn.Module):
    """One control step of one environment as a graph of tensors."""

    def __init__(self, policy: BatchedPolicy, obs: Mapping[str, Tensor]) -> None:
        """Find out what the policy remembers, by letting it make a step."""
        super().__init__()
        self.nets = policy.nets.requires_grad_(False)  # weights of the graph, not constants in it
        self._policy = policy
        self.obs_keys = tuple(obs)
        _, memory = policy.step(obs, {}, torch.zeros(1, dtype=torch.int64), GivenNoise(_noise(policy)))
        self.memory = {key: torch.zeros_like(value) for key, value in sorted(memory.items())}

    @property
    def inputs(self) -> list[str]:
        """Names of the arguments of `forward`, in order."""
        return [
            *(f"obs/{key}" for key in self.obs_keys),
            *(f"memory/{key}" for key in self.memory),
            "age",
            "noise",
        ]

    @property
    def outputs(self) -> list[str]:
        """Names of what `forward` returns, in order."""
        return ["action", *(f"next/{key}" for key in self.memory)]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Act. Arguments as in `inputs`, each with a leading axis of length 1."""
        obs = dict(zip(self.obs_keys, tensors, strict=False))
        memory = dict(zip(self.memory, tensors[len(obs) :], strict=False))
        age, noise = tensors[-2:]
        action, after = self._policy.step(obs, memory, age, GivenNoise(noise))
        return action, *(after[key] for key in self.memory)


def export(checkpoint: Path, output: Path) -> Exported:
    """Write a policy as ONNX and TorchScript, and check that both act as the checkpoint does.

    Args:
        checkpoint: A checkpoint, or the folder that `apprentice train` wrote.
        output: Folder to write: policy.onnx, policy.ts, policy.json (what goes in and out) and onnx_runner.py.

    Raises:
        UserError: If the packages are missing, `output` exists already, or the exported policy acts differently.
    """
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"Expected onnx, onnxruntime and onnxscript, but {error}; run `pip install isaaclab-apprentice[export]`."
        ) from error
    if output.exists() and any(output.iterdir()):
        raise UserError(f"Expected a new or empty folder at {output}, found files there; choose another --output.")
    policy = load_policy(checkpoint)
    shapes = policy.obs_shapes
    generator = torch.Generator().manual_seed(0)
    example = _observation(shapes, generator)
    with torch.no_grad(), warnings.catch_warnings(), _no_validation():
        warnings.simplefilter("ignore")
        module = StepModule(policy, example).eval()
        arguments = (*example.values(), *module.memory.values(), torch.zeros(1, dtype=torch.int64), _noise(policy))
        script: Any = torch.jit.trace(module, arguments, check_trace=False)
        program = torch.onnx.export(
            module, arguments, dynamo=True, verbose=False, input_names=module.inputs, output_names=module.outputs
        )
    output.mkdir(parents=True, exist_ok=True)
    script.save(str(output / TORCHSCRIPT))
    assert program is not None
    program.save(str(output / ONNX))
    about = {
        "format": 1,
        "task": policy.about.get("task"),
        "control_hz": policy.about.get("control_hz"),
        "action_dim": policy.action_dim,
        "noise_size": policy.noise_size,
        "observations": {key: {"shape": list(shape), "dtype": kind} for key, (shape, kind) in shapes.items()},
        "memory": {key: {"shape": list(v.shape[1:]), "dtype": _kind(v)} for key, v in module.memory.items()},
        "inputs": module.inputs,
        "outputs": module.outputs,
    }
    (output / ABOUT).write_text(json.dumps(about, indent=1) + "\n")
    shutil.copy(onnx_runner.__file__, output / RUNNER)
    differences = _compare(policy, module, output, shapes)
    worst = max(differences)
    if worst > TOLERANCE:
        raise UserError(
            f"Expected the exported policy to act as the checkpoint does, found actions that differ by {worst:.2g}; "
            f"do not use {output}."
        )
    return Exported(folder=output, onnx_difference=differences[0], torchscript_difference=differences[1])


def _compare(
    policy: BatchedPolicy, module: StepModule, folder: Path, shapes: Mapping[str, tuple[tuple[int, ...], str]]
) -> tuple[float, float]:
    """Largest differences from the checkpoint: of ONNX in its runner, and of TorchScript."""
    runner = onnx_runner.PolicyRunner(folder, seed=0)
    script: Any = torch.jit.load(str(folder / TORCHSCRIPT))
    generator, noise = torch.Generator().manual_seed(1), np.random.default_rng(0)
    memory, carried = dict[str, Tensor](), list(module.memory.values())
    differences = [0.0, 0.0]
    for step in range(CHECKED_STEPS):
        obs = _observation(shapes, generator)
        drawn = torch.from_numpy(onnx_runner.draw(noise, policy.noise_size))
        age = torch.tensor([step])
        with torch.no_grad():
            action, memory = policy.step(obs, memory, age, GivenNoise(drawn))
            scripted, *carried = script(*obs.values(), *carried, age, drawn)
        played = runner.act({key: value[0].numpy() for key, value in obs.items()})
        differences[0] = max(differences[0], float(np.abs(played - action[0].numpy()).max()))
        differences[1] = max(differences[1], float((scripted - action).abs().max()))
    return differences[0], differences[1]


def _observation(shapes: Mapping[str, tuple[tuple[int, ...], str]], generator: torch.Generator) -> dict[str, Tensor]:
    """Made-up observations: poses are poses, images are bytes."""
    made: dict[str, Tensor] = {}
    for key, (shape, kind) in shapes.items():
        if kind == "uint8":
            made[key] = torch.randint(0, 256, (1, *shape), generator=generator).to(torch.uint8)
        elif shape == (4, 4):
            made[key] = make_pose(
                torch.rand(1, 3, generator=generator), exp_rotation(torch.randn(1, 3, generator=generator))
            )
        else:
            made[key] = torch.rand(1, *shape, generator=generator)
    return made


@contextlib.contextmanager
def _no_validation() -> Iterator[None]:
    """Distributions that look at their arguments' values can't become a graph."""
    before = torch.distributions.Distribution._validate_args
    torch.distributions.Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        torch.distributions.Distribution.set_default_validate_args(before)


def _noise(policy: BatchedPolicy) -> Tensor:
    return torch.full((1, 1 + policy.noise_size), 0.5)


def _kind(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")
