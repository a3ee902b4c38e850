"""What a run consists of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from apprentice.yaml_files import reading


@dataclass(kw_only=True)
class RecordStageCfg:
    demos: int = 10
    """Source demos to record."""
    source: str | None = None
    """A demo file to use instead of recording."""


@dataclass(kw_only=True)
class AugmentStageCfg:
    demos: int = 1000
    """Demos to generate."""
    num_envs: int = 128
    """Environments stepped together."""


@dataclass(kw_only=True)
class TrainStageCfg:
    algo: str = "chunked_bc"
    """Recipe, see `apprentice train --help`."""
    steps: int | None = None
    """Gradient steps; the recipe's own number by default."""


@dataclass(kw_only=True)
class EvaluateStageCfg:
    rollouts: int = 100
    """Rollouts to play."""
    num_envs: int = 100
    """Environments stepped together."""
    backend: str | None = None
    """Physics backend, where it shall be another than the run's."""


@dataclass(kw_only=True)
class PipelineCfg:
    """A run, from source demos to an evaluated policy."""

    name: str = "run"
    """Name of the run; results go to runs/NAME."""
    task: str = "Apprentice-Stack-Franka"
    """Id of an Isaac Lab Mimic task."""
    variant: str | None = None
    """Difficulty variant, for tasks that have them."""
    backend: str = "native"
    """Physics backend of every stage."""
    seed: int = 1
    """Seed of recording, augmentation and training. Evaluation has seeds of its own, never trained on."""
    threads: int = 2
    """Processor threads."""
    record: RecordStageCfg = field(default_factory=RecordStageCfg)
    """Source demos."""
    augment: AugmentStageCfg = field(default_factory=AugmentStageCfg)
    """Generated demos."""
    train: TrainStageCfg = field(default_factory=TrainStageCfg)
    """The policy."""
    evaluate: EvaluateStageCfg = field(default_factory=EvaluateStageCfg)
    """The rollouts."""


def load_config(path: Path) -> PipelineCfg:
    """Read a run's configuration from YAML; what it leaves out has the default value.

    Raises:
        UserError: If the file can't be read, or says something that a run does not know.
    """
    from omegaconf import OmegaConf

    with reading(path, "a run's configuration"):
        given = OmegaConf.load(path)
        merged = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(PipelineCfg(name=path.stem)), given))
    assert isinstance(merged, PipelineCfg)
    return merged
