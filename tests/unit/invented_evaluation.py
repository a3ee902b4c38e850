"""Evaluations on disk whose outcomes were chosen by hand."""

from collections.abc import Sequence
from pathlib import Path

from apprentice.evaluate import results
from apprentice.evaluate.journal import Identity, Rollout


def write_evaluation(
    directory: Path, success: Sequence[bool], *, seed: int = 100, training: dict | None = None, **identity: object
) -> Path:
    """Write a finished evaluation; its failures are at `grasp` and `final` in turn."""
    about = {
        "task": "Stack", "variant": None, "backend": "native", "checkpoint_sha256": directory.name * 8,
        "rollouts": len(success), "seed": seed, "held_steps": 10, "horizon": 600, "clear_of": None,
    }  # fmt: skip
    rollouts = [
        Rollout(
            index=index, seed=seed + index, success=bool(good), success_any_step=bool(good),
            steps=150 + index if good else 600, failed_subtask=None if good else ("grasp", "final")[index % 2],
            initial_poses={"cube": [0.01 * index, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]}, path_length_m=1.0, wall_seconds=1.0,
            run=0, run_seconds=1.0,
        )
        for index, good in enumerate(success)
    ]  # fmt: skip
    directory.mkdir(parents=True)
    evaluation = results.summarise(Identity(**about | identity), rollouts, ["grasp"], training)
    results.write(directory, evaluation, rollouts)
    return directory


def training(recipe: str, seed: int, demos: int = 900) -> dict:
    """What an evaluation says of the training behind it."""
    return {"recipe": recipe, "seed": seed, "algo": "chunked_bc", "steps": 3000, "demos": demos}
