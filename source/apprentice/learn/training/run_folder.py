"""The folder of a training run: whose it is, its log, and its result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apprentice import __version__
from apprentice.demos.durable import write_atomically, write_json
from apprentice.errors import UserError
from apprentice.learn.algorithms.anatomy import observed
from apprentice.learn.cfg import CHECKPOINT_RULE, TrainCfg, TrainResult
from apprentice.learn.data.dataset import Frames, Source, fingerprint
from apprentice.learn.files import CONFIG, LOG, POLICY, STATE
from apprentice.learn.training.curves import Curves
from apprentice.learn.training.identity import decisive, identity

SAID_OF_POLICY = ("version", "checkpoint_rule", "algo", "task", "control_hz", "images", "steps", "data", "training")
"""What of a run's description goes into the checkpoint."""


def describe(
    file: Path, cfg: TrainCfg, source: Source, demos: Frames, config: Any, steps: int, notices: list[str]
) -> dict[str, Any]:
    """What `config.json` says of a run. JSON-able."""
    about = {
        "version": __version__,
        "checkpoint_rule": CHECKPOINT_RULE,
        "algo": cfg.config.stem if cfg.config else cfg.algo,
        "task": source.meta.get("task") or source.env_args.get("env_name"),
        "control_hz": source.meta.get("control_hz"),
        "images": source.meta.get("images") if _sees(config) else None,
        "steps": steps,
        "train": {key: str(value) if isinstance(value, Path) else value for key, value in asdict(cfg).items()},
        "data": {
            "file": str(file),
            "digest": fingerprint(demos),
            "demos": len(demos.names),
            "frames": demos.num_frames,
            "held_out": len(source.valid),
        },
        "notices": notices,
        "robomimic": json.loads(config.dump()),
    }
    return about | {"training": identity(about)}


def _sees(config: Any) -> bool:
    keys = observed(config.observation)
    return bool(keys.get("rgb") or keys.get("depth"))


def claim(output: Path, about: Mapping[str, Any]) -> None:
    """Write `config.json`, or make sure that the one there describes this very run."""
    path = output / CONFIG
    if not path.exists():
        if (output / STATE).exists() or (output / POLICY).exists():
            raise UserError(
                f"Expected {CONFIG} beside the training results in {output}, found none; choose another --output."
            )
        write_json(path, about)
        return
    try:
        earlier = json.loads(path.read_text())
    except ValueError as error:
        raise UserError(
            f"Expected the settings of an earlier run in {path}, but {error}; choose another --output."
        ) from error
    now = json.loads(json.dumps(about))
    different = [key for key in decisive(now) if decisive(earlier).get(key) != decisive(now)[key]]
    if different:
        before, after = decisive(earlier), decisive(now)
        changes = "; ".join(f"{key} was {before.get(key)!r}, is {after[key]!r}" for key in different[:3])
        raise UserError(
            f"Expected {output} to be new or to hold this very run, found another ({changes}); choose another --output,"
            " or give the earlier settings to go on with it."
        )


class Log:
    """`log.jsonl`. What an interrupted run wrote after its last saved state is dropped: those steps are done again."""

    def __init__(self, output: Path, step: int) -> None:
        """Open the log of a run that goes on from `step`."""
        path = output / LOG
        lines: list[str] = []
        self.records: list[dict[str, Any]] = []
        """What an earlier sitting wrote."""
        self._curves: list[Curves] = []
        self.last: dict[str, Any] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    record = json.loads(line)
                except ValueError:
                    continue  # torn by a kill
                if record["step"] <= step:
                    lines.append(line)
                    self.records.append(record)
                    self.last |= record
        text = "".join(line + "\n" for line in lines)
        write_atomically(path, lambda scratch: scratch.write_text(text))
        self._path = path

    def draw(self, curves: Curves) -> None:
        """Draw what is written from now on, until `close`."""
        self._curves.append(curves)

    def close(self) -> None:
        for curves in self._curves:
            curves.close()

    def write(self, record: Mapping[str, Any]) -> None:
        self.last |= record
        with self._path.open("a") as file:
            file.write(json.dumps(dict(record)) + "\n")
        for curves in self._curves:
            curves.add(record)


def result_of(output: Path, about: Mapping[str, Any], last: Mapping[str, Any]) -> TrainResult:
    seconds, stopped = float(last["seconds"]), "stopped_at" in last
    steps = last["stopped_at"] if stopped else about["steps"]
    valid = last.get("valid_loss")
    return TrainResult(
        policy=output / POLICY,
        algo=about["algo"],
        steps=steps,
        stopped=stopped,
        seconds=seconds,
        steps_per_s=steps / max(seconds, 1e-9),
        demos=about["data"]["demos"],
        frames=about["data"]["frames"],
        loss=float(last["loss"]),
        valid_loss=None if valid is None else float(valid),
        notices=tuple(about["notices"]),
    )
