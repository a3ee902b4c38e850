"""The numbers of a run in one file."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apprentice.demos import DemoFile
from apprentice.demos.provenance import timestamp, versions

from .cfg import PipelineCfg

Json = dict[str, Any]


def write_summary(cfg: PipelineCfg, output: Path, timings: Mapping[str, float], commands: Mapping[str, str]) -> Json:
    """Collect the stages' result files into `summary.json`, and return what it says.

    Args:
        cfg: The run.
        output: Its folder.
        timings: Wall time per stage [s].
        commands: The command of each stage.
    """
    source = Path(cfg.record.source) if cfg.record.source else output / "source.hdf5"
    with DemoFile(source) as demos:
        record = {"file": str(source), "episodes": len(demos), "operator": _operators(demos)}
    stats: Json = json.loads((output / "generated.hdf5.stats.json").read_text())
    log = [json.loads(line) for line in (output / "train" / "log.jsonl").read_text().splitlines()]
    stages: dict[str, Json] = {
        "record": record,
        # what has an entry per demo stays in the stage's own file
        "augment": {key: value for key, value in stats.items() if key not in ("initial_states", "lengths")},
        "train": {"algo": cfg.train.algo, "seconds": timings["train"], "steps": log[-1]["step"]},
        "evaluate": json.loads((output / "evaluate" / "evaluation.json").read_text()),
    }
    for name, stage in stages.items():
        if name in commands:
            stage["command"] = commands[name]
    summary: Json = {
        "task": cfg.task,
        "variant": cfg.variant,
        "backend": cfg.backend,
        "seed": cfg.seed,
        "created": timestamp(),
        **stages,
        "stage_seconds": dict(timings),
        "wall_seconds": sum(timings.values()),
        "config": asdict(cfg),
        "versions": versions(),
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "system": platform.platform()},
    }
    partial = output / "summary.tmp"
    partial.write_text(json.dumps(summary, indent=1))
    partial.replace(output / "summary.json")
    return summary


def _operators(demos: DemoFile) -> str:
    found = {str(demos.attrs(name).get("operator", "not said")) for name in demos.names}
    return ", ".join(sorted(found))
