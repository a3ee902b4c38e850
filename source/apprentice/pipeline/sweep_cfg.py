"""What a sweep searches: its YAML file, checked and turned into the trials' settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from apprentice.errors import UserError
from apprentice.learn.cfg import TrainCfg
from apprentice.pipeline.training import TrainingCfg
from apprentice.yaml_files import reading

SECTIONS = ("algo.", "train.", "observation.")
"""Beginnings of keys of Robomimic's config; other keys are options of `apprentice train`."""
SUCCESS, VALID_LOSS = "success", "valid_loss"
_FIXED = ("seed", "demos", "mask", "valid_mask", "valid_fraction", "device", "wandb", "symmetry", "override", "config")
"""Options that do not belong to a recipe, or change what the trials are measured by."""


@dataclass(kw_only=True)
class SweepCfg:
    """A search for good settings."""

    trials: int = 20
    """Trainings to do."""
    workers: int = 1
    """Trainings at once, each in a process of its own with one processor thread."""
    objective: str = SUCCESS
    """What counts: `success` of rollouts from the same initial states, or `valid_loss` on held-out demos."""
    seed: int = 0
    """Seed of the search. Every trial trains with the same `--seed`."""
    space: dict[str, Any] = field(default_factory=dict[str, Any])
    """For each option, or key of the config by its path, `{low, high, log, step}` or `{choices: [...]}`."""


def load_sweep(path: Path) -> SweepCfg:
    """Read a sweep from YAML.

    Raises:
        UserError: If the file can't be read, or says something that a sweep does not know.
    """
    from omegaconf import OmegaConf

    with reading(path, "a sweep"):
        cfg = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(SweepCfg), OmegaConf.load(path)))
    assert isinstance(cfg, SweepCfg)
    if cfg.objective not in (SUCCESS, VALID_LOSS):
        raise UserError(f"Expected the objective in {path} to be {SUCCESS} or {VALID_LOSS}, got {cfg.objective!r}.")
    if cfg.trials < 1 or cfg.workers < 1:
        raise UserError(f"Expected at least one trial and one worker in {path}, got {cfg.trials} and {cfg.workers}.")
    if not cfg.space:
        raise UserError(f"Expected a space to search in {path}, found none; name options under `space`.")
    options = [option.name for option in fields(TrainCfg) if option.name not in _FIXED]
    for key, values in cfg.space.items():
        if key not in options and not key.startswith(SECTIONS):
            raise UserError(
                f"Expected {key!r} in {path} to be an option of a training ({', '.join(options)}) or a key of the"
                f" config ({'..., '.join(SECTIONS)}...), found neither."
            )
        _distribution(key, values)
    return cfg


def distributions(cfg: SweepCfg) -> dict[str, Any]:
    """The space as Optuna has it. Choices are JSON: Optuna knows no lists."""
    return {key: _distribution(key, values) for key, values in cfg.space.items()}


def trial_cfg(base: TrainingCfg, params: Mapping[str, Any]) -> TrainingCfg:
    """The training of a trial.

    Raises:
        UserError: If an option does not take a value.
    """
    values = {key: json.loads(value) if isinstance(value, str) else value for key, value in params.items()}
    override = {key: json.dumps(value) for key, value in values.items() if key.startswith(SECTIONS)}
    options = {key: value for key, value in values.items() if not key.startswith(SECTIONS)}
    return replace(base, **options, override={**base.override, **override})


def _distribution(key: str, values: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, Mapping) and set(values) == {"choices"} and values["choices"]:
        return CategoricalDistribution([json.dumps(choice) for choice in values["choices"]])
    try:
        low, high, more = values["low"], values["high"], {k: v for k, v in values.items() if k not in ("low", "high")}
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, **more)
        return FloatDistribution(float(low), float(high), **more)
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(
            f"Expected {key!r} to be {{low: 1e-4, high: 1e-2, log: true}} or {{choices: [1, 2]}}, found {values!r}"
            f" ({error})."
        ) from error
