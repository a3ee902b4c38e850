"""Runs the stages one after the other, each as the command that a person would give."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from apprentice.demos.durable import write_json
from apprentice.errors import UserError

from .cfg import PipelineCfg
from .stage import Stage, read_json
from .summary import write_summary


def stages(cfg: PipelineCfg, output: Path) -> Iterator[Stage]:
    """The commands of a run, in order."""
    sim = ("--backend", cfg.backend, "--threads", str(cfg.threads))
    variant = ("--variant", cfg.variant) if cfg.variant else ()
    seed = ("--seed", str(cfg.seed))
    source = Path(cfg.record.source) if cfg.record.source else output / "source.hdf5"
    if cfg.record.source is None:
        yield Stage(
            name="record",
            arguments=(cfg.task, "--output", str(source), "--device", "scripted", "--demos", str(cfg.record.demos))
            + (*seed, *variant, *sim),
        )
        yield Stage(name="annotate", arguments=(str(source), *sim))
        yield Stage(name="replay", arguments=(str(source), *sim))
    generated = output / "generated.hdf5"
    augment = ("--demos", str(cfg.augment.demos), "--num-envs", str(cfg.augment.num_envs), "--task", cfg.task)
    yield Stage(name="augment", arguments=(str(source), "--output", str(generated), *augment, *seed, *variant, *sim))
    yield Stage(name="check", arguments=(str(generated),))
    steps = ("--steps", str(cfg.train.steps)) if cfg.train.steps else ()
    yield Stage(
        name="train",
        arguments=(str(generated), "--output", str(output / "train"), "--algo", cfg.train.algo, *steps, *seed),
    )
    rollouts = ("--rollouts", str(cfg.evaluate.rollouts), "--num-envs", str(cfg.evaluate.num_envs))
    where = ("--backend", cfg.evaluate.backend or cfg.backend, "--threads", str(cfg.threads))
    yield Stage(
        name="evaluate",
        arguments=(str(output / "train"), "--task", cfg.task, "--output", str(output / "evaluate"), *rollouts)
        + (*variant, *where),
    )


def run_pipeline(cfg: PipelineCfg, output: Path | None, *, new: bool, say: Callable[[str], None]) -> Path:
    """Run every stage that is not done, then write `summary.json` and `report.html`.

    Args:
        cfg: The run.
        output: Folder for the results, runs/NAME by default.
        new: Start a new run beside an old one instead of resuming it.
        say: Tells the user where the run is.

    Returns:
        The folder of the run.

    Raises:
        UserError: If the folder holds a run with another configuration, or a stage failed.
    """
    output = _folder(output or Path("runs") / cfg.name, cfg, new=new)
    steps = list(stages(cfg, output))
    timings = read_json(output / "stages.json")
    for number, stage in enumerate(steps, 1):
        say(f"[{number}/{len(steps)}] {stage.command}{' (done before)' if stage.name in timings else ''}")
        if stage.name in timings:
            continue
        start = time.monotonic()
        stage.run()
        timings[stage.name] = time.monotonic() - start
        write_json(output / "stages.json", timings)
    summary = write_summary(cfg, output, timings, {stage.name: stage.command for stage in steps})
    from apprentice.report import build_report

    page = build_report(output)
    evaluation = summary["evaluate"]
    low, high = evaluation["interval_95"]
    say(
        f"Success rate {100 * evaluation['success_rate']:.0f} % [{100 * low:.0f}, {100 * high:.0f}] over "
        f"{evaluation['rollouts']} rollouts. Summary: {output / 'summary.json'}  Page: {page}"
    )
    return output


def _folder(output: Path, cfg: PipelineCfg, *, new: bool) -> Path:
    wanted = json.loads(json.dumps(asdict(cfg)))
    if new:
        number = 2
        first = output
        while output.exists():
            output, number = first.with_name(f"{first.name}-{number}"), number + 1
    output.mkdir(parents=True, exist_ok=True)
    path = output / "pipeline.json"
    if not path.exists():
        if any(output.iterdir()):
            raise UserError(
                f"Expected an empty folder or an earlier run in {output}, found other files: choose another --output."
            )
        write_json(path, wanted)
    elif (found := read_json(path)) != wanted:
        differing = ", ".join(key for key in wanted if found.get(key) != wanted[key])
        raise UserError(
            f"Expected to resume the run in {output}, found that its configuration was another one ({differing}): "
            "give --new to start one beside it, or another --output."
        )
    return output
