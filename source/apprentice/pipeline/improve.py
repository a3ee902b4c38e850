"""Rounds of evaluation and augmentation: demos are generated where a policy went wrong, and it trains on them too.

As DAgger (Ross et al. 2011, arXiv 1011.0686) lets an expert say what to do in states that the policy gets into, here
segments of the source demos go on from such states, until success is held.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apprentice.demos import DemoFile, merge
from apprentice.demos.durable import write_json
from apprentice.errors import UserError
from apprentice.evaluate.failures import ASTRAY_STATES
from apprentice.evaluate.results import read
from apprentice.evaluate.robustness.cfg import MISHAPS

from .improve_cfg import ImproveCfg
from .stage import Stage, read_json

LOG = "improve.json"


def improve(source: Path, demos: Path, output: Path, cfg: ImproveCfg, say: Callable[[str], None]) -> dict[str, Any]:
    """Improve the policy of a demo file until a goal or a budget is reached. What was done before is not done again.

    Args:
        source: Source demos that the others were generated from.
        demos: Demos of the first round; with images, if cameras are chosen.
        output: Folder for the rounds, `improve.json` and the evaluation at the end.
        cfg: When to stop, and what each round does.
        say: Tells the user where it is.

    Returns:
        What `improve.json` holds.

    Raises:
        UserError: If a stage fails, or `output` holds another run.
    """
    output.mkdir(parents=True, exist_ok=True)
    about = {"source": str(source), "demos": str(demos), "cfg": json.loads(json.dumps(asdict(cfg)))}
    log = read_json(output / LOG) or about | {"rounds": []}
    differing = [key for key in about if log.get(key) != about[key]]
    if differing:
        raise UserError(
            f"Expected to go on with the run in {output}, found that it was given another {', '.join(differing)}:"
            " choose another --output."
        )
    write_json(output / LOG, log)
    done: dict[str, float] = {}

    def run(stage: Stage) -> None:
        say(stage.command)
        start = time.monotonic()
        stage.run()
        done[stage.name] = done.get(stage.name, 0.0) + time.monotonic() - start

    number, current = 0, demos
    while True:
        folder = output / f"round_{number}"
        policy = folder / "policy"
        if number == len(log["rounds"]):
            done.clear()
            folder.mkdir(exist_ok=True)
            for stage in _play(cfg, number, current, policy, folder):
                run(stage)
            log["rounds"].append(_found(folder, current, cfg, dict(done)))
            write_json(output / LOG, log)
        found = log["rounds"][number]
        say(f"Round {number}: {_sentence(found)}")
        seconds = sum(sum(one["seconds"].values()) for one in log["rounds"])
        if _reached(found, cfg.goal) or number == cfg.rounds or (cfg.minutes and seconds > 60 * cfg.minutes):
            break
        number += 1
        current = _more_demos(source, current, folder, output / f"round_{number}", cfg, number, run)
        found["seconds"] |= {key: done.get(key, 0.0) for key in ("augment", "render")}
        write_json(output / LOG, log)
    run(_evaluate(cfg, policy, output / "evaluate", seed=None))
    final = read(output / "evaluate")
    low, high = final.interval_95
    log["success_rate"], log["interval_95"] = final.success_rate, final.interval_95
    write_json(output / LOG, log)
    say(f"{policy}: {100 * final.success_rate:.1f} % [{100 * low:.1f}, {100 * high:.1f}] of {final.rollouts} rollouts.")
    return log


def _play(cfg: ImproveCfg, number: int, demos: Path, policy: Path, folder: Path) -> Iterator[Stage]:
    """Train, and see where it fails."""
    steps = ("--steps", str(cfg.steps)) if cfg.steps else ()
    cameras = ("--cameras", *cfg.cameras) if cfg.cameras else ()
    yield Stage(
        name="train",
        arguments=(str(demos), "--output", str(policy), "--algo", cfg.algo, "--seed", str(cfg.train_seed))
        + (*steps, *cameras),
    )
    seed = cfg.seed + 10_000 * number
    yield _evaluate(cfg, policy, folder / "rollouts", seed=seed)
    if cfg.mishaps:
        yield _evaluate(cfg, policy, folder / "mishaps", seed=seed + 5_000, suite="recovery")


def _evaluate(cfg: ImproveCfg, policy: Path, output: Path, *, seed: int | None, suite: str | None = None) -> Stage:
    return Stage(
        name="evaluate",
        arguments=(str(policy), "--output", str(output), "--rollouts", str(cfg.rollouts), "--backend", cfg.backend)
        + ("--num-envs", str(cfg.num_envs), "--threads", str(cfg.threads), "--videos", "0")
        + (() if seed is None else ("--seed", str(seed)))
        + (() if suite is None else ("--suite", suite)),
    )


def _more_demos(
    source: Path, demos: Path, before: Path, folder: Path, cfg: ImproveCfg, number: int, run: Callable[[Stage], None]
) -> Path:
    """Demos that begin where the policy of the round before went wrong, together with all that were there."""
    folder.mkdir(exist_ok=True)
    merged, new = folder / "demos.hdf5", folder / "new.hdf5"
    if merged.exists():
        return merged
    files = [before / "rollouts" / ASTRAY_STATES, *(before / "mishaps" / kind / "mishaps.hdf5" for kind in MISHAPS)]
    states = [str(file) for file in files if file.exists()]
    run(
        Stage(
            name="augment",
            arguments=(str(source), "--output", str(new), "--demos", str(cfg.demos), "--states", *states)
            + ("--seed", str(cfg.seed + number), "--backend", cfg.backend, "--threads", str(cfg.threads)),
        )
    )
    if cfg.cameras:
        drawn = folder / "new_images.hdf5"
        run(_draw(new, drawn, like=demos))
        new = drawn
    merge([demos, new], merged)
    return merged


def _draw(demos: Path, output: Path, *, like: Path) -> Stage:
    """Give demos the images that others have.

    Raises:
        UserError: If those others have none.
    """
    with DemoFile(like) as file:
        images: dict[str, Any] | None = file.meta.get("images")
    if not images:
        raise UserError(f"Expected demos with images in {like}, found none; draw them with `apprentice render` first.")
    looks = [
        part for name, value in images["looks"].items() for part in (f"--looks.{name.replace('_', '-')}", str(value))
    ]
    cameras = [view["name"] for view in images["cameras"]]
    return Stage(
        name="render",
        arguments=(str(demos), "--output", str(output), "--size", str(images["size"]), *looks, "--cameras", *cameras),
    )


def _found(folder: Path, demos: Path, cfg: ImproveCfg, seconds: dict[str, float]) -> dict[str, Any]:
    """What a round says in the log."""
    result = read(folder / "rollouts")
    trained = json.loads((folder / "policy" / "config.json").read_text())["data"]
    found: dict[str, Any] = {
        "demos": str(demos),
        "demos_trained_on": trained["demos"],
        "rollouts": result.rollouts,
        "success_rate": result.success_rate,
        "interval_95": result.interval_95,
        "seconds": seconds,
    }
    if cfg.mishaps:
        kinds = {kind: read(folder / "mishaps" / kind) for kind in MISHAPS}
        found["recovery"] = {
            kind: {"rollouts": one.rollouts, "success_rate": one.success_rate} for kind, one in kinds.items()
        }
    return found


def _reached(found: dict[str, Any], goal: float) -> bool:
    """Whether the goal is reached, after mishaps too."""
    rates = [found["success_rate"], *(one["success_rate"] for one in found.get("recovery", {}).values())]
    return min(rates) >= goal


def _sentence(found: dict[str, Any]) -> str:
    low, high = found["interval_95"]
    text = (
        f"{100 * found['success_rate']:.1f} % [{100 * low:.1f}, {100 * high:.1f}] of {found['rollouts']} rollouts,"
        f" trained on {found['demos_trained_on']} demos"
    )
    after = ", ".join(f"{kind} {100 * one['success_rate']:.0f} %" for kind, one in found.get("recovery", {}).items())
    return text + (f"; after mishaps: {after}." if after else ".")
