"""What `improve` can be told. Imports nothing heavy: the command line reads it at start."""

from __future__ import annotations

from dataclasses import dataclass

from apprentice.errors import UserError
from apprentice.evaluate.cfg import EvaluateCfg


@dataclass(kw_only=True, frozen=True)
class ImproveCfg:
    """How a policy is improved. It is trained anew in every round, on all demos so far."""

    goal: float = 0.98
    """Success rate, in the rollouts of a round, at which no further round begins. 0 to 1."""
    rounds: int = 3
    """Rounds at most, after the first training."""
    minutes: float | None = None
    """Time after which no further round begins. None sets no limit."""
    demos: int = 300
    """Demos that each round adds."""
    rollouts: int = 200
    """Rollouts of each round, and of the evaluation at the end."""
    mishaps: bool = True
    """Let things go wrong on purpose in further rollouts of each round (the suite `recovery`), so that the policy
    learns to go on from there too."""
    seed: int = 2_000_000
    """Round r plays from the initial states of seed + 10,000 r on. The evaluation at the end has the seeds that
    `apprentice evaluate` has by default, from which no round has played."""
    train_seed: int = 0
    """Seed of every training."""
    algo: str = "chunked_bc"
    """Recipe, see `apprentice train --help`."""
    steps: int | None = None
    """Gradient steps of each training; the recipe's own number by default."""
    cameras: tuple[str, ...] = ()
    """Learn from these cameras instead of object poses; they are drawn for the new demos."""
    backend: str = "native"
    """Physics backend."""
    num_envs: int = 100
    """Environments stepped together in rollouts."""
    threads: int = 2
    """Processor threads."""

    def __post_init__(self) -> None:
        for name in ("demos", "rollouts", "num_envs", "threads"):
            if getattr(self, name) < 1:
                raise UserError(f"Expected --{name.replace('_', '-')} of at least 1, got {getattr(self, name)}.")
        if self.rounds < 0:
            raise UserError(f"Expected --rounds of at least 0, got {self.rounds}.")
        if not 0 < self.goal <= 1:
            raise UserError(f"Expected --goal above 0 and up to 1, got {self.goal}.")
        if EvaluateCfg().seed <= self.seed + 10_000 * self.rounds and self.seed < EvaluateCfg().seed + self.rollouts:
            raise UserError(
                f"Expected --seed far from {EvaluateCfg().seed:,}, where the evaluation at the end begins, got"
                f" {self.seed:,}."
            )
