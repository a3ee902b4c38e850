"""How good policies are: every success rate that the README states, by the commands that users have.

    python benchmarks/policies.py [SOURCE] [--only stack few ...] [--output runs/policies] [--json FILE]

SOURCE are ten annotated demos of the Franka cube stack, by default of the scripted operator. Each row is a policy from
generated demos, its last weights, evaluated on the initial states of `apprentice evaluate`, which no demo began from:

* stack: 1,000 demos, three training seeds, and the first of them in another physics engine
* few: 200 demos
* wide: 1,000 demos of the widest resets (d2)
* own: 1,000 demos from ten source demos of our own scripted operator
* insert: 1,000 demos of the insertion task from ten source demos of the scripted operator
* recovery: from 200 states after mishaps, before and after one round of `apprentice improve`
* cameras: two 84x84 cameras and proprioception, no object poses
* rnn: BC-RNN-GMM in Isaac Lab's own config, `--rnn-steps` of its 200,000 gradient steps

What is finished is kept, so the same command goes on after a stop. Training seconds are those of a machine in use.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from stages import STACK, Stages, stack_source

INSERT = "Apprentice-Insert-Franka"
RNN_CONFIG = Path(str(files("isaaclab_tasks"))) / "contrib/stack/config/franka/agents/robomimic/bc_rnn_low_dim.json"
DEMOS = ["--demos", 1000, "--seed", 1]


@dataclass(frozen=True)
class Bench:
    """What all rows share."""

    stages: Stages
    source: Path
    """Demos of the stack."""
    rnn_steps: int
    """Gradient steps of BC-RNN-GMM."""
    camera_steps: int
    """Gradient steps of the policy that sees images."""

    @property
    def folder(self) -> Path:
        """Where everything is kept."""
        return self.stages.folder

    def demos(self, name: str, *options: Any, source: Path | None = None) -> Path:
        """Generated demos."""
        file = self.folder / f"{name}.hdf5"
        self.stages.apprentice("augment", source or self.source, *options, "--output", file)
        return file

    def trained(self, name: str, demos: Path, *options: Any) -> Path:
        """A policy."""
        self.stages.apprentice("train", demos, *options, "--output", self.folder / name)
        return self.folder / name

    def evaluated(self, name: str, policy: Path, rollouts: int, *options: Any) -> dict[str, Any]:
        """Its success."""
        output = self.folder / name
        self.stages.apprentice("evaluate", policy, "--rollouts", rollouts, "--videos", 0, *options, "--output", output)
        found = json.loads((output / "evaluation.json").read_text())
        log = policy / "log.jsonl"
        seconds = json.loads(log.read_text().splitlines()[-1]).get("seconds") if log.exists() else None
        return {
            "success": found["success_rate"],
            "interval": found["interval_95"],
            "rollouts": found["rollouts"],
            "train_seconds": seconds,
        }

    def stacked(self) -> Path:
        """1,000 demos of the stack, which several rows learn from."""
        return self.demos("stack", *DEMOS)


def stack(bench: Bench) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for seed in range(3):
        policy = bench.trained(f"stack_{seed}", bench.stacked(), "--seed", seed)
        rows[f"stack, training seed {seed}"] = bench.evaluated(f"stack_{seed}_evaluated", policy, 400)
    first = bench.folder / "stack_0"
    engine = ["--backend", "ovphysx", "--num-envs", 32]
    return rows | {"stack, seed 0 in ovphysx": bench.evaluated("stack_0_ovphysx", first, 128, *engine)}


def few(bench: Bench) -> dict[str, dict[str, Any]]:
    demos = bench.demos("few", "--demos", 200, "--seed", 1)
    # no demos are set apart for validation, of which 200 leave none to spare
    spare_none = ["--valid-fraction", 0, "--valid-mask="]
    act = bench.trained("few_act", demos, "--algo", "act", *spare_none)
    plain = bench.trained("few", demos, *spare_none)
    return {
        "200 demos, act": bench.evaluated("few_act_evaluated", act, 400),
        "200 demos": bench.evaluated("few_evaluated", plain, 400),
    }


def wide(bench: Bench) -> dict[str, dict[str, Any]]:
    policy = bench.trained("wide", bench.demos("wide_demos", "--variant", "d2", *DEMOS))
    return {"d2": bench.evaluated("wide_evaluated", policy, 400, "--variant", "d2")}


def own(bench: Bench) -> dict[str, dict[str, Any]]:
    source = bench.stages.recorded(STACK, bench.folder / "own_source.hdf5", seed=1)
    policy = bench.trained("own", bench.demos("own_demos", *DEMOS, source=source))
    return {"own source demos": bench.evaluated("own_evaluated", policy, 400)}


def insert(bench: Bench) -> dict[str, dict[str, Any]]:
    source = bench.stages.recorded(INSERT, bench.folder / "insert_source.hdf5", seed=1)
    policy = bench.trained("insert", bench.demos("insert_demos", *DEMOS, source=source))
    return {"insertion": bench.evaluated("insert_evaluated", policy, 400)}


def recovery(bench: Bench) -> dict[str, dict[str, Any]]:
    improved = bench.folder / "improved"
    limits = ["--goal", 1.0, "--rounds", 1, "--demos", 600]
    bench.stages.apprentice("improve", bench.source, bench.stacked(), *limits, "--output", improved)
    plain, better = (improved / f"round_{number}" / "policy" for number in range(2))
    suite = bench.folder / "mishaps"  # of the usual seeds, which no round has seen
    mishaps = ["evaluate", plain, "--suite", "recovery", "--rollouts", 100, "--videos", 0, "--output", suite]
    bench.stages.apprentice(*mishaps)
    starts = ["--states", suite / "mishaps.hdf5"]
    return {
        "after mishaps": bench.evaluated("after_mishaps", plain, 200, *starts),
        "after mishaps, improved": bench.evaluated("after_mishaps_improved", better, 200, *starts),
        "improved, usual states": bench.evaluated("improved_evaluated", better, 400),
    }


def cameras(bench: Bench) -> dict[str, dict[str, Any]]:
    drawn = bench.folder / "stack_images.hdf5"
    bench.stages.apprentice("render", bench.stacked(), "--output", drawn)
    how = ["--cameras", "table", "wrist", "--steps", bench.camera_steps]
    policy = bench.trained("cameras", drawn, *how)
    return {"two cameras": bench.evaluated("cameras_evaluated", policy, 400)}


def rnn(bench: Bench) -> dict[str, dict[str, Any]]:
    how = ["--config", RNN_CONFIG, "--steps", bench.rnn_steps]
    policy = bench.trained("rnn", bench.stacked(), *how)
    return {f"BC-RNN-GMM, {bench.rnn_steps} steps": bench.evaluated("rnn_evaluated", policy, 400)}


ROWS: dict[str, Callable[[Bench], dict[str, dict[str, Any]]]] = {
    made.__name__: made for made in (stack, few, wide, own, insert, recovery, cameras, rnn)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", type=Path, help="ten annotated demos of the Franka cube stack")
    parser.add_argument("--only", nargs="+", choices=list(ROWS), default=list(ROWS), help="rows to measure")
    parser.add_argument("--camera-steps", type=int, default=6000, help="gradient steps of the policy with cameras")
    parser.add_argument("--rnn-steps", type=int, default=2000, help="gradient steps of BC-RNN-GMM")
    parser.add_argument("--output", type=Path, default=Path("runs/policies"))
    parser.add_argument("--json", type=Path, help="write the numbers here")
    args = parser.parse_args()
    bench = Bench(Stages(args.output), stack_source(args.source), args.rnn_steps, args.camera_steps)
    rows: dict[str, dict[str, Any]] = {}
    for name in args.only:
        rows |= ROWS[name](bench)
    for name, row in rows.items():
        low, high = (100 * end for end in row["interval"])
        successes = round(row["success"] * row["rollouts"])
        seconds = f"{row['train_seconds']:.0f} s" if row["train_seconds"] else "-"
        print(f"{name:28} {successes:4} of {row['rollouts']} [{low:.1f}, {high:.1f} %], training {seconds}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
