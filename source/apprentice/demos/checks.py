"""`apprentice check`: everything that is wrong, or looks wrong, with a demo file, in one pass."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from apprentice.demos import signals
from apprentice.demos.hdf5 import H5, Tree, dataset_keys, read_array
from apprentice.demos.parts import task_of
from apprentice.demos.schema import PREVIOUS, problems
from apprentice.demos.view import StoreView
from apprentice.errors import UserError
from apprentice.progress import Progress, silent

Severity = Literal["error", "warning", "info"]


@dataclass(kw_only=True, frozen=True)
class Finding:
    severity: Severity
    """error: unusable as it is; warning: usable, but look at it; info: good to know."""
    demo: str
    """Name of the demo, empty for the file as a whole."""
    key: str
    """Path of the array or attribute, empty for the demo as a whole."""
    message: str
    """What was expected and what was found."""


@dataclass(kw_only=True)
class Report:
    """What a check found."""

    path: Path
    """The checked file."""
    task: str | None = None
    """Task id, None if the file names none."""
    demos: int = 0
    """Demos in "data"."""
    steps: int = 0
    """Control steps of all demos together."""
    successes: int = 0
    """Demos that say they succeeded."""
    findings: list[Finding] = field(default_factory=list[Finding])
    """What was found, worst first."""

    def count(self, severity: Severity) -> int:
        """How many findings are of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def ok(self) -> bool:
        """Whether the file can be used as it is."""
        return self.count("error") == 0


def check_file(path: str | Path, *, progress: Progress = silent) -> Report:
    """Read a whole demo file and report what is wrong with it; a broken file is a finding, not an exception.

    Checks the schema, NaN, lengths, success flags, frozen and jumping signals, duplicate demos, masks and replay
    certificates. Frozen and jumping are judged by what the same signal does in the other demos.
    """
    report = Report(path=Path(path).resolve())
    try:
        view = StoreView(report.path, "data")
    except UserError as error:
        report.findings.append(Finding(severity="error", demo="", key="", message=str(error)))
        return report
    try:
        _Check(view, report).run(progress)
    finally:
        view.close()
    rank = {"error": 0, "warning": 1, "info": 2}
    report.findings.sort(key=lambda finding: rank[finding.severity])
    return report


class _Check:
    """One pass over the demos, then the comparisons between them."""

    def __init__(self, view: StoreView, report: Report) -> None:
        self._view = view
        self._report = report
        self._shapes: dict[str, dict[str, tuple[int, ...]]] = {}
        self._success: dict[str, bool] = {}
        self._uncertified: list[str] = []
        self._actions: dict[bytes, str] = {}
        self._frozen: dict[str, dict[str, bool]] = defaultdict(dict)
        self._must_move: set[str] = set()
        self._paces: dict[tuple[str, str], dict[str, NDArray[np.float64]]] = defaultdict(dict)

    def run(self, progress: Progress) -> None:
        names = self._view.names
        for done, name in enumerate(names):
            progress.update(done, len(names), name)
            try:
                with self._view.demo(name) as group:
                    self._demo(name, group)
            except (UserError, OSError, RuntimeError) as error:
                self._find("error", name, "", f"expected readable data, found damage ({error})")
        progress.update(len(names), len(names))
        self._report.demos = len(names)
        if not names:
            self._find("error", "", "data", "expected demos, found none")
        self._file()
        self._compare_shapes()
        self._compare_signals()
        self._masks()

    def _find(self, severity: Severity, demo: str, key: str, message: str) -> None:
        self._report.findings.append(Finding(severity=severity, demo=demo, key=key, message=message))

    def _demo(self, name: str, group: H5) -> None:
        tree = {key: read_array(group[key]) for key in dataset_keys(group)}
        for key, text in problems(tree):
            self._find("error", name, key, text)
        self._shapes[name] = {key: value.shape[1:] for key, value in tree.items() if not key.startswith(PREVIOUS)}
        self._flags(name, group, tree)
        actions = tree.get("actions", np.zeros(0))
        if actions.size:
            self._report.steps += len(actions)
            digest = hashlib.blake2b(np.ascontiguousarray(actions).tobytes()).digest()
            twin = self._actions.setdefault(digest, name)
            if twin != name:
                self._find("warning", name, "actions", f"expected actions of its own, found those of {twin}")
            self._signals(name, tree)

    def _flags(self, name: str, group: H5, tree: Tree) -> None:
        actions = tree.get("actions", np.zeros(0))
        rows = len(actions) if actions.ndim else 0
        samples = int(group.attrs.get("num_samples", rows))
        if samples != rows:
            self._find("error", name, "num_samples", f"expected {rows} as in actions, found {samples}")
        if "success" not in group.attrs:
            self._find("warning", name, "success", "expected a flag, found none; the demo is taken as a success")
        success = self._success[name] = bool(group.attrs.get("success", True))
        self._report.successes += success
        if not success:
            self._find("warning", name, "success", "expected demos to imitate, found one that failed")
        rewards = tree.get("rewards", np.zeros(0))
        if rewards.ndim == 1 and rewards.size and bool(rewards[-1] > 0) != success:
            self._find(
                "warning", name, "rewards", f"expected a last reward as success={success} says, found {rewards[-1]}"
            )
        if "certificate" not in group.attrs:
            self._uncertified.append(name)

    def _signals(self, name: str, tree: Tree) -> None:
        if signals.frozen(tree["actions"]):
            return  # nobody drove: nothing needs to move
        for key, value in tree.items():
            if not signals.is_signal(key, value) or len(value) != len(tree["actions"]):
                continue
            self._frozen[key][name] = signals.frozen(value)
            if signals.must_move(key, value):
                self._must_move.add(key)
            if value.dtype.kind == "f" and bool(np.isfinite(value).all()):
                for unit, pace in signals.pace(key, value):
                    self._paces[key, unit][name] = pace

    def _compare_signals(self) -> None:
        for key, frozen in self._frozen.items():
            moving = sum(not value for value in frozen.values())
            for name in (name for name, value in frozen.items() if value):
                if key in self._must_move or 2 * moving >= len(frozen):
                    text = f"expected it to move, as it does in {moving} of {len(frozen)} demos, found it constant"
                    self._find("warning", name, key, text)
        for (key, unit), paces in self._paces.items():
            for name, step in signals.jumps(paces, unit).items():
                moved = paces[name][step - 1]
                text = f"expected a smooth motion, found a jump of {moved:.3g} {unit} from step {step - 1} to {step}"
                self._find("warning", name, key, text)

    def _compare_shapes(self) -> None:
        counts = Counter((key, shape) for shapes in self._shapes.values() for key, shape in shapes.items())
        usual: dict[str, tuple[int, ...]] = {}
        for (key, shape), _ in sorted(counts.items(), key=lambda item: item[1]):
            usual[key] = shape  # the most frequent comes last
        for name, shapes in self._shapes.items():
            for key in shapes.keys() & usual.keys():
                if shapes[key] != usual[key]:
                    text = f"expected rows of shape {usual[key]} as in the other demos, found {shapes[key]}"
                    self._find("error", name, key, text)
            for key in sorted(usual.keys() - shapes.keys() - {"actions"}):
                having = counts[key, usual[key]]
                if 2 * having >= len(self._shapes):
                    self._find("warning", name, key, f"expected this array as in {having} demos, found none")

    def _file(self) -> None:
        data = self._view.file["data"]
        self._report.task = task_of(self._view.file)
        if self._report.task is None:
            self._find("warning", "", "env_args", "expected JSON that names the task (env_name), found none")
        meta_task = _meta_task(data.attrs.get("apprentice"))
        if None not in (meta_task, self._report.task) and meta_task != self._report.task:
            text = f"expected task {meta_task} as in the file's own description, found {self._report.task}"
            self._find("error", "", "env_args", text)
        unfolded = len(self._view.unfolded)
        if unfolded:
            text = f"{unfolded} demos are saved, but not yet in the file itself; closing the recording moves them"
            self._find("info", "", "", text)
        elif "total" in data.attrs and int(data.attrs["total"]) != self._report.steps:
            text = f"expected {self._report.steps}, the steps of all demos, found {int(data.attrs['total'])}"
            self._find("warning", "", "total", text)
        if self._uncertified:
            missing = f"{len(self._uncertified)} of {self._report.demos} demos"
            text = f"{missing} have no replay certificate; `apprentice replay` adds it"
            self._find("info", "", "certificate", text)

    def _masks(self) -> None:
        masks = self._view.masks
        for mask, names in masks.items():
            if missing := sorted(set(names) - set(self._view.names)):
                self._find("error", "", f"mask/{mask}", f"expected demos of this file, found {', '.join(missing)}")
        if both := sorted(set(masks.get("train", ())) & set(masks.get("valid", ()))):
            self._find("error", "", "mask/valid", f"expected demos that are not trained on, found {', '.join(both)}")
        folded = [name for name in self._success if name not in self._view.unfolded]
        for text in _mask_mismatches(masks, {name: self._success[name] for name in folded}):
            self._find("warning", "", "mask", text)


def _mask_mismatches(masks: dict[str, list[str]], success: dict[str, bool]) -> Iterator[str]:
    if "success" in masks:
        listed = set(masks["success"])
        for name in (name for name, value in success.items() if value != (name in listed)):
            yield f"expected mask/success to list the demos that succeeded, found {name} with success={success[name]}"
    if "train" in masks:
        split = {*masks["train"], *masks.get("valid", ())}
        if unused := [name for name, value in success.items() if value and name not in split]:
            yield f"expected every success in mask/train or mask/valid, found {', '.join(unused)} in neither"


def _meta_task(text: Any) -> Any:
    try:
        return json.loads(text).get("task")
    except (ValueError, TypeError, AttributeError):
        return None
