"""The numbers of a run in one file."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apprentice.demos import DemoFile
from apprentice.demos.provenance import versions

from .cfg import PipelineCfg


def write_summary(cfg: PipelineCfg, output: Path, timings: dict[str, float]) -> dict[str, Any]:
    """Collect the stages' result files into `summary.json`, and return what it says.

    Args:
        cfg: The run.
        output: Its folder.
        timings: Wall time per stage [s].
    """
    source = Path(cfg.record.source) if cfg.record.source else output / "source.hdf5"
    with DemoFile(source) as demos:
        record = {"file": str(source), "episodes": len(demos), "operator": _operators(demos)}
    stats = json.loads((output / "generated.hdf5.stats.json").read_text())
    evaluation = json.loads((output / "evaluate" / "evaluation.json").read_text())
    log = [json.loads(line) for line in (output / "train" / "log.jsonl").read_text().splitlines()]
    summary: dict[str, Any] = {
        "config": asdict(cfg),
        "record": record,
        "augment": {
            key: value
            for key, value in stats.items()
            if isinstance(value, (int, float, str, list)) and key not in ("lengths",)
        },
        "train": {"seconds": timings["train"], "steps": log[-1]["step"], "algo": cfg.train.algo},
        "evaluate": {key: value for key, value in evaluation.items()},
        "stage_seconds": timings,
        "wall_seconds": sum(timings.values()),
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
