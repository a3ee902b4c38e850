"""What tells trainings apart: the recipe, which is everything that decides the weights but chance, and the seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apprentice.learn.files import CONFIG


def decisive(about: Mapping[str, Any]) -> dict[str, Any]:
    """What must agree for a run to go on: everything in `config.json` that changes the weights."""
    found: dict[str, Any] = {"demos": about["data"]["digest"], "steps": about["steps"]}
    found |= {f"--{key}": about["train"][key] for key in ("algo", "seed", "ema_decay", "normalise")}
    if about["train"].get("compile"):
        found["--compile"] = True
    if about["train"].get("stop_at"):
        deciding = ("stop_at", "evaluate_every", "rollouts", "task", "variant", "backend")
        found |= {f"--{key}": about["train"].get(key) for key in deciding}

    def flatten(prefix: str, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if isinstance(value, Mapping) and value:
                flatten(f"{prefix}{key}.", value)
            else:
                found[prefix + key] = value

    for section in ("algo", "train", "observation"):
        flatten(f"{section}.", about["robomimic"][section])
    return found


def identity(about: Mapping[str, Any]) -> dict[str, Any]:
    """Which training `config.json` describes. JSON-able.

    Returns:
        `recipe`, the same for trainings that differ in their seed only; `seed`; and, to be read by people, `algo`,
        `steps` and `demos`.
    """
    recipe = {key: value for key, value in decisive(about).items() if key not in ("--seed", "train.seed")}
    digest = hashlib.blake2b(json.dumps(recipe, sort_keys=True).encode(), digest_size=8).hexdigest()
    return {
        "recipe": digest,
        "seed": about["train"]["seed"],
        "algo": about["algo"],
        "steps": about["steps"],
        "demos": about["data"]["demos"],
    }


def identity_of(checkpoint: Path, about: Mapping[str, Any]) -> dict[str, Any] | None:
    """Which training made a checkpoint; None for one of another program.

    Args:
        checkpoint: The checkpoint, or its folder. What `config.json` beside it says stands in for `about`.
        about: What the checkpoint says of its training.
    """
    if "training" in about:
        return dict(about["training"])
    path = (checkpoint if checkpoint.is_dir() else checkpoint.parent) / CONFIG
    try:
        return identity(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not one of ours
